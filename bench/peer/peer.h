// One thread that is both ends of a proxy: the engine behind it and the clients in front of it. It polls without sleeping while
// a run lasts, so that no write of the proxy has to wake anybody up, and so that it is never what is being measured.
#ifndef PEER_H
#define PEER_H

#include <stddef.h>
#include <stdint.h>

enum kind { KIND_COMMANDS, KIND_LISTENER, KIND_UPSTREAM, KIND_CLIENT };

// What epoll gives back; the first member of everything that is watched.
struct watched {
  enum kind kind;
  int fd;
};

// One run, as the command line on standard input asks for it.
struct run {
  int port;             // of the proxy, on 127.0.0.1
  int connections;      // opened before the run
  double rate;          // Poisson arrivals a second; 0: closed loop, every connection asks again at once
  double warm_seconds;  // before the window, at least
  uint64_t warm_count;  // replies and events that must have come before it opens
  double seconds;       // of the window
  int events;           // content events of a stream
  uint64_t interval_ns; // between content events; 0: all at once
  int loose;            // the proxy writes bodies anew: their bytes are not compared
  int pids[64];         // whose CPU time is counted
  int pid_count;
  char *request; // the bytes to send, from a file
  size_t request_bytes;
};

struct counts {
  uint64_t completed, chunks, mismatches, broken, queued;
};

// Samples of a latency, in nanoseconds.
struct samples {
  uint32_t *values;
  size_t count;
};
#define SAMPLES_MAX (4u << 20)

extern struct run run;
extern struct counts counts;
extern struct samples first_byte, last_byte, chunk_delay;
extern char complaint[512];
extern uint64_t warmed_by; // replies and events since the run began
extern int measuring; // the window is open

uint64_t now_ns(void);
void watch(struct watched *what);
void complain(const char *format, ...);
void sample(struct samples *into, uint64_t since, uint64_t now);

// upstream.c
void upstream_prepare(void);
int upstream_listen(struct watched *listener);
void upstream_accept(struct watched *listener);
void upstream_readable(struct watched *watched);
void upstream_tick(uint64_t now);
size_t json_bytes(void);
const char *json_body(void);
size_t stream_bytes(int events);
#define STAMP_AT 12      // of the stamp inside an event
#define STAMP_DIGITS 19  // CLOCK_MONOTONIC in nanoseconds

// client.c
void clients_open(uint64_t now);
void client_readable(struct watched *watched);
void clients_tick(uint64_t now);
int clients_busy(void);
void clients_stop(void);
void clients_close(void);

#endif
