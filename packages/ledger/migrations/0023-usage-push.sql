-- What a central manager was told of each hour. It deletes what a post lacks, so we remember what it has: an hour that has lost rows is
-- not sent again unless somebody says so.
create table usage_push (
  -- Address of the manager.
  manager text not null,
  hour timestamptz not null,
  rollup_ids text[] not null,
  pushed_at timestamptz not null,
  primary key (manager, hour)
);
