"""Works a cloud with two clients that others wrote, as they are: the maker's own and libcloud's. HOST PORT USER PASSWORD LIBRARY_DRIVE; prints JSON."""

import json
import os
import sys
import tempfile
import time

host, port, user, password, image = sys.argv[1:]
conf = tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False)
conf.write(f"api_endpoint = http://{host}:{port}/api/2.0/\nusername = {user}\npassword = {password}\n")
conf.close()
os.environ["CLOUDSIGMA_CONFIG"] = conf.name

import cloudsigma  # noqa: E402  It reads its configuration while it is imported.
from libcloud.compute.drivers.cloudsigma import CloudSigma_2_0_Connection, CloudSigma_2_0_NodeDriver  # noqa: E402


def until(read, wanted):
    """Asks until the answer is the wanted one; the caller's patience ends what never comes."""
    while (answer := read()) not in wanted:
        time.sleep(0.05)
    return answer


def makers_own():
    servers, drives, tags = cloudsigma.resource.Server(), cloudsigma.resource.Drive(), cloudsigma.resource.Tags()
    seen = {"email": cloudsigma.resource.Profile().get()["email"]}
    drive = drives.clone(image, {"name": "own"})
    seen["clone"] = drive["status"]
    until(lambda: drives.get(drive["uuid"])["status"], ("unmounted",))
    server = servers.create({"name": "own", "cpu": 2000, "mem": 1073741824, "vnc_password": "x", "nics": [{"ip_v4_conf": {"conf": "dhcp"}}]})
    server["drives"] = [{"boot_order": 1, "dev_channel": "0:0", "device": "virtio", "drive": drive["uuid"]}]
    server = servers.update(server["uuid"], server)
    seen["mounted"] = [each["drive"]["uuid"] == drive["uuid"] for each in server["drives"]]
    seen["started"] = servers.start(server["uuid"])["result"]
    until(lambda: servers.get(server["uuid"])["status"], ("running",))
    seen["nic"] = servers.runtime(server["uuid"])["nics"][0]["interface_type"]
    tag = tags.create({"name": "own", "resources": [server["uuid"]]})
    seen["tagged"] = [each["uuid"] == server["uuid"] for each in tags.servers(tag["uuid"])]
    try:
        servers.delete(server["uuid"])
    except cloudsigma.errors.PermissionError as error:
        seen["refused"] = json.loads(str(error.args[0]))[0]["error_type"]
    servers.stop(server["uuid"])
    until(lambda: servers.get(server["uuid"])["status"], ("stopped",))
    servers.delete_with_all_drives(server["uuid"])
    seen["left"] = [each["name"] for each in drives.list_detail() if each["name"] == "own"]
    session = cloudsigma.generic.GenericClient(login_method="session")
    seen["session"] = session.get("/profile/")["email"]
    return seen


class Plain(CloudSigma_2_0_Connection):
    """The driver insists on TLS; only that is taken from it."""

    def connect(self, *args, **kwargs):
        self.secure, self.host, self.port = 0, host, int(port)
        return super().connect(host=host, port=int(port))


class Driver(CloudSigma_2_0_NodeDriver):
    connectionCls = Plain
    DRIVE_TRANSITION_SLEEP_INTERVAL = 0.05


def libcloud():
    driver = Driver(user, password, region="zrh", host=host, port=int(port))
    library = [each for each in driver.list_images() if each.id == image][0]
    size = [each for each in driver.list_sizes() if each.disk >= 20][0]
    node = driver.create_node(name="lib", size=size, image=library, ex_metadata={"who": "libcloud"})
    seen = {"meta": node.extra["meta"]}
    seen["state"] = until(lambda: str(driver.ex_get_node(node.id).state), ("running",))
    seen["public"] = len(driver.ex_get_node(node.id).public_ips)
    volume = driver.create_volume(name="more", size=1)
    until(lambda: driver.ex_get_drive(volume.id).status, ("unmounted",))
    driver.stop_node(node)
    until(lambda: str(driver.ex_get_node(node.id).state), ("stopped",))
    seen["attached"] = driver.attach_volume(node, volume)
    seen["status"] = driver.ex_get_drive(volume.id).status
    seen["nics kept"] = len(driver.ex_get_node(node.id).extra["nics"])
    seen["detached"] = driver.detach_volume(node, volume)
    # Of 3.9.1 neither way to tag a resource sends it: one puts it beside the object, the other forgets it. Listing by a tag works.
    seen["tagged"] = driver.list_nodes(ex_tag=driver.ex_create_tag("lib"))
    seen["tags"] = [each.name for each in driver.ex_list_tags() if each.name == "lib"]
    seen["balance"] = sorted(driver.ex_get_balance())
    seen["subscriptions"] = sorted({each.resource for each in driver.ex_list_subscriptions()})
    seen["destroyed"] = driver.destroy_node(node, ex_delete_drives=True)
    driver.destroy_volume(volume)
    seen["left"] = [each.name for each in driver.list_volumes() if each.name in ("more", "lib-drive")]
    return seen


print(json.dumps({"own": makers_own(), "libcloud": libcloud()}))
os.unlink(conf.name)
