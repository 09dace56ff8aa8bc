// What the workloads of Boost.Fiber have in common.
// SPDX-License-Identifier: MIT
#pragma once
#include <boost/fiber/all.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

namespace fibers = boost::fibers;
using fibers::channel_op_status;
using channel = fibers::unbuffered_channel<long>;
using channels = std::deque<channel>;
using clk = std::chrono::steady_clock;

inline long workers, count;

void pingpong(), pingpong_x(), ring(), sieve(), select_timeout();
void chain(), diagonal(), fan_out(), ping_pong();
void spawning(), skynet(), yield(), fib(), mutex(), timers(), sleepers(), idle(), speedup();

inline void check(bool ok, const char *what)
{
        if (ok)
                return;
        std::fprintf(stderr, "boost-fiber: %s\n", what);
        std::_Exit(1);
}

inline double ns_since(clk::time_point begin)
{
        return std::chrono::duration<double, std::nano>(clk::now() - begin).count();
}

inline void print_each(clk::time_point begin, double n)
{
        std::printf("%.1f\n", ns_since(begin) / n);
}

inline void print_ms(clk::time_point begin)
{
        std::printf("%.1f\n", ns_since(begin) / 1e6);
}

// For fibers that need little: but Boost.Fiber's own locks want 5 KiB when first used.
inline fibers::fixedsize_stack stacks{ 16384 };

// For many fibers: each begins at once and leaves nothing behind, as in Boost.Fiber's own
// benchmarks.
template <typename F> void spawn(F &&f)
{
        fibers::fiber(fibers::launch::dispatch, std::allocator_arg, stacks, std::forward<F>(f))
                .detach();
}

// The end of many.
class countdown
{
        std::atomic<long> left;
        fibers::promise<void> promise;

      public:
        explicit countdown(long n) : left(n) {}

        void done()
        {
                if (--left == 0)
                        promise.set_value();
        }

        void wait()
        {
                promise.get_future().wait();
        }
};

// A few fibers, to be joined together.
class group
{
        std::vector<fibers::fiber> members;

      public:
        template <typename F> void spawn(F &&f)
        {
                members.emplace_back(std::allocator_arg, stacks, std::forward<F>(f));
        }

        void join()
        {
                for (auto &member : members)
                        member.join();
        }
};

// Two threads that steal from each other; only their first fibers, these, stay where they are.
template <typename F, typename G> void run_on_two_threads(F here, G there)
{
        using fibers::algo::work_stealing;
        std::thread other([&] {
                fibers::use_scheduling_algorithm<work_stealing>(2);
                there();
        });

        fibers::use_scheduling_algorithm<work_stealing>(2);
        here();
        other.join();
}

inline bool push(channel &to, long value)
{
        return to.push(value) == channel_op_status::success;
}

inline bool pop(channel &from, long &value)
{
        return from.pop(value) == channel_op_status::success;
}
