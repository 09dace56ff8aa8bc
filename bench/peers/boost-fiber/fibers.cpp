// Workloads of Boost.Fiber that are mostly about fibers.
// SPDX-License-Identifier: MIT
#include "bench.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <mutex>
#include <random>
#include <string>

using std::chrono::seconds;

void spawning()
{
        countdown all(count);
        auto begin = clk::now();

        for (long i = 0; i < count; i++)
                spawn([&] { all.done(); });
        all.wait();
        print_each(begin, count);
}

static void skynet_node(fibers::buffered_channel<long> &parent, long number, long size)
{
        fibers::buffered_channel<long> sums{ 16 };
        long sum = 0;

        if (size == 1) {
                parent.push(number);
                return;
        }
        for (long i = 0; i < 10; i++) {
                spawn([&sums, number, size, i] {
                        skynet_node(sums, number + i * (size / 10), size / 10);
                });
        }
        for (int i = 0; i < 10; i++)
                sum += sums.value_pop();
        parent.push(sum);
}

void skynet()
{
        fibers::buffered_channel<long> sum{ 2 };
        auto begin = clk::now();

        spawn([&] { skynet_node(sum, 0, count); });
        check(sum.value_pop() == count * (count - 1) / 2, "a wrong sum");
        print_ms(begin);
}

void yield()
{
        group both;
        auto begin = clk::now();

        for (int i = 0; i < 2; i++) {
                both.spawn([] {
                        for (long n = 0; n < count; n++)
                                boost::this_fiber::yield();
                });
        }
        both.join();
        print_each(begin, 2.0 * count);
}

static void fib_call(long n, channel &out)
{
        channel results;

        if (n < 2) {
                push(out, n);
                return;
        }
        spawn([n, &results] { fib_call(n - 1, results); });
        spawn([n, &results] { fib_call(n - 2, results); });
        long sum = results.value_pop();
        push(out, sum + results.value_pop());
}

void fib()
{
        channel result;
        long a = 0, b = 1;
        auto begin = clk::now();

        spawn([&] { fib_call(count, result); });
        long found = result.value_pop();
        print_ms(begin);
        for (long i = 0; i < count; i++)
                a = std::exchange(b, a + b);
        check(found == a, "a wrong number");
}

void mutex()
{
        fibers::mutex lock;
        group members;
        long n = 0;
        auto begin = clk::now();

        for (long i = 0; i < 8; i++) {
                members.spawn([&, turns = (i + 1) * count / 8 - i * count / 8] {
                        for (long turn = 0; turn < turns; turn++) {
                                std::unique_lock<fibers::mutex> guard(lock);

                                n++;
                        }
                });
        }
        members.join();
        print_each(begin, count);
        check(n == count, "a lost increment");
}

void timers()
{
        constexpr int naps = 20;
        std::vector<double> late(count * naps);
        group members;

        for (long i = 0; i < count; i++) {
                members.spawn([i, ours = &late[i * naps]] {
                        std::minstd_rand random(i + 1);
                        std::uniform_int_distribution<> ns(1000000, 100000000);

                        for (int nap = 0; nap < naps; nap++) {
                                auto due = clk::now() + std::chrono::nanoseconds(ns(random));

                                boost::this_fiber::sleep_until(due);
                                ours[nap] = ns_since(due) / 1e3;
                        }
                });
        }
        members.join();
        std::sort(late.begin(), late.end());
        check(late[0] >= 0, "woken too early");
        std::printf("%.1f %.1f\n", late[late.size() / 2], late[late.size() * 99 / 100]);
}

void sleepers()
{
        countdown all(count);
        auto begin = clk::now();

        for (long i = 0; i < count; i++) {
                spawn([&] {
                        boost::this_fiber::sleep_for(seconds(1));
                        all.done();
                });
        }
        all.wait();
        check(ns_since(begin) >= 1e9, "woken too early");
        print_ms(begin);
}

static double resident_bytes()
{
        std::ifstream status("/proc/self/status");
        std::string word;
        double kib;

        while (status >> word && word != "VmRSS:")
                continue;
        check(bool(status >> kib), "no VmRSS");
        return kib * 1024;
}

void idle()
{
        channel c;
        countdown waiting(count), all(count);
        double before = resident_bytes();

        for (long i = 0; i < count; i++) {
                spawn([&] {
                        long value;

                        waiting.done();
                        check(!pop(c, value), "a message out of nowhere");
                        all.done();
                });
        }
        waiting.wait();
        std::printf("%.1f\n", (resident_bytes() - before) / count);
        c.close();
        all.wait();
}

static uint64_t compute()
{
        uint64_t x = 1;

        for (long i = 0; i < 15000000; i++)
                x = x * 6364136223846793005U + 1442695040888963407U;
        return x;
}

void speedup()
{
        std::array<uint64_t, 64> results;
        group members;
        auto begin = clk::now();

        for (auto &result : results)
                members.spawn([&] { result = compute(); });
        members.join();
        print_ms(begin);
        for (auto result : results)
                check(result == results[0], "a wrong result");
}
