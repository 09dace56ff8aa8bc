// The benchmark program of Boost.Fiber: which workloads it has.
// SPDX-License-Identifier: MIT
#include "bench.hpp"

#include <cstring>

static const struct workload {
        const char *name;
        long least_workers, count;
        void (*run)();
} workloads[] = {
        { "pingpong", 1, 1000000, pingpong },
        { "pingpong-x", 2, 100000, pingpong_x },
        { "spawn", 1, 1000000, spawning },
        { "ring", 1, 2000000, ring },
        { "skynet", 1, 1000000, skynet },
        { "sieve", 1, 2000, sieve },
        { "select-timeout", 1, 1000000, select_timeout },
        { "yield", 1, 2000000, yield },
        { "fib", 1, 24, fib },
        { "mutex", 1, 2000000, mutex },
        { "timers", 1, 1000, timers },
        { "sleepers", 1, 1000000, sleepers },
        { "idle", 1, 1000000, idle },
        { "speedup", 1, 0, speedup },
        { "chain", 1, 100, chain },
        { "diagonal", 1, 10, diagonal },
        { "fan-out", 1, 100, fan_out },
        { "ping-pong", 1, 100, ping_pong },
};

static void run(const workload &workload)
{
        fibers::promise<void> end;
        auto ended = end.get_future();

        if (workers == 1 || workload.least_workers == 2)
                return workload.run();
        run_on_two_threads(
                [&] {
                        workload.run();
                        end.set_value();
                },
                [&] { ended.wait(); });
}

int main(int argc, char *argv[])
{
        if (argc == 2 && !std::strcmp(argv[1], "list")) {
                for (auto &each : workloads)
                        std::printf("%s %s\n", each.name, each.least_workers == 2 ? "2" : "1 2");
                return 0;
        }
        if (argc < 3) {
                std::fprintf(stderr, "usage: %s WORKLOAD WORKERS [COUNT]\n", argv[0]);
                return 2;
        }
        workers = std::atol(argv[2]);
        for (auto &each : workloads) {
                if (std::strcmp(each.name, argv[1]) || workers < each.least_workers || workers > 2)
                        continue;
                count = argc > 3 ? std::atol(argv[3]) : each.count;
                run(each);
                return 0;
        }
        std::fprintf(stderr, "boost-fiber: no %s with %s workers\n", argv[1], argv[2]);
        return 77;
}
