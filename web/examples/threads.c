/* What the example image "threads" was taken of: threads that wait in different calls, timers, a pending signal and a
 * pipe that holds text. Made anew with:
 *   cc -O1 -static -pthread -o /tmp/threads web/examples/threads.c && cd / && /tmp/threads </dev/null >/dev/null 2>&1 &
 *   stasis checkpoint --compress zstd -o web/examples/threads.img $! */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t locked = PTHREAD_MUTEX_INITIALIZER;
static int queue[2], event, timer;
/* Not local, or the compiler leaves out what nobody reads. */
char *note;

static void alarmed(int signo) { (void)signo; }

static void *waits_for_the_lock(void *arg) {
    pthread_mutex_lock(&locked);
    return arg;
}

static void *waits_for_events(void *arg) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event in = {.events = EPOLLIN, .data.fd = event};
    epoll_ctl(epoll, EPOLL_CTL_ADD, event, &in);
    in.data.fd = timer;
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &in);
    while (epoll_wait(epoll, &in, 1, -1) != 0) {}
    return arg;
}

static void *sleeps(void *arg) {
    struct timespec hour = {.tv_sec = 3600};
    while (nanosleep(&hour, &hour) != 0) {}
    return arg;
}

int main(void) {
    sigset_t later;
    sigemptyset(&later);
    sigaddset(&later, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &later, NULL);
    struct sigaction action = {.sa_handler = alarmed, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGPIPE, SIG_IGN);

    note = malloc(64);
    strcpy(note, "a note on the heap of the example");
    char *rest = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(rest + (8 << 20), "one page of sixteen MiB is in use");
    (void)pipe(queue);
    (void)write(queue[1], "not read yet\n", 13);
    event = eventfd(0, EFD_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec often = {.it_interval.tv_sec = 600, .it_value.tv_sec = 600};
    timerfd_settime(timer, 0, &often, NULL);
    timer_t ticks;
    struct sigevent tick = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    timer_create(CLOCK_REALTIME, &tick, &ticks);
    timer_settime(ticks, 0, &often, NULL);

    pthread_mutex_lock(&locked);
    void *(*const work[])(void *) = {waits_for_the_lock, waits_for_events, sleeps};
    const char *const names[] = {"lock", "events", "sleeper"};
    for (int n = 0; n < 3; n++) {
        pthread_t thread;
        pthread_create(&thread, NULL, work[n], NULL);
        pthread_setname_np(thread, names[n]);
    }
    kill(getpid(), SIGUSR2);
    for (;;) pause();
}
