// Workloads of Boost.Fiber that are mostly about messages.
// SPDX-License-Identifier: MIT
#include "bench.hpp"

#include <cmath>

static void ask(channel &ping, channel &pong, long n)
{
        for (long i = 0; i < n; i++) {
                push(ping, i);
                check(pong.value_pop() == i, "a wrong answer");
        }
}

static void answer(channel &ping, channel &pong, long n)
{
        for (long i = 0; i < n; i++)
                push(pong, ping.value_pop());
}

void pingpong()
{
        channel ping, pong;
        group both;
        auto begin = clk::now();

        both.spawn([&] { answer(ping, pong, count); });
        both.spawn([&] { ask(ping, pong, count); });
        both.join();
        print_each(begin, count);
}

void pingpong_x()
{
        channel ping, pong;

        run_on_two_threads(
                [&] {
                        auto begin = clk::now();

                        ask(ping, pong, count);
                        print_each(begin, count);
                },
                [&] { answer(ping, pong, count); });
}

void ring()
{
        channels c(503);
        group members;
        long last = -1;
        auto begin = clk::now();

        for (size_t i = 0; i < c.size(); i++) {
                members.spawn([&, i] {
                        auto &out = c[(i + 1) % c.size()];
                        long hops;

                        while (pop(c[i], hops)) {
                                if (hops > 0) {
                                        push(out, hops - 1);
                                        continue;
                                }
                                last = i;
                                for (auto &each : c)
                                        each.close();
                        }
                });
        }
        push(c[0], count);
        members.join();
        print_each(begin, count);
        check(last == count % (long)c.size(), "the token is elsewhere");
}

static bool is_prime(long n)
{
        for (long d = 2; d * d <= n; d++) {
                if (n % d == 0)
                        return false;
        }
        return n > 1;
}

void sieve()
{
        channels c(1);
        group members;
        std::atomic<bool> enough{ false };
        long prime = 0, expected = 1;
        auto begin = clk::now();

        members.spawn([&, &out = c.back()] {
                for (long n = 2; !enough; n++)
                        push(out, n);
                out.close();
        });
        for (long i = 0; i < count; i++) {
                auto &in = c.back();
                auto &out = c.emplace_back();

                check(pop(in, prime), "no prime");
                do
                        expected++;
                while (!is_prime(expected));
                check(prime == expected, "a wrong prime");
                members.spawn([prime, &in, &out] {
                        for (long n; pop(in, n);) {
                                if (n % prime != 0)
                                        push(out, n);
                        }
                        out.close();
                });
        }
        print_ms(begin);
        enough = true;
        while (pop(c.back(), prime))
                continue;
        members.join();
}

void select_timeout()
{
        channel c;
        group members;
        auto begin = clk::now();

        members.spawn([&] {
                for (long i = 0; i < count; i++)
                        push(c, i);
        });
        members.spawn([&] {
                for (long i = 0, value; i < count; i++) {
                        check(c.pop_wait_for(value, std::chrono::seconds(1)) ==
                                      channel_op_status::success,
                              "timed out");
                        check(value == i, "a lost message");
                }
        });
        members.join();
        print_each(begin, count);
}

static void count_up(channel &out, long n)
{
        for (long i = 0; i < n; i++)
                push(out, i);
        out.close();
}

void chain()
{
        constexpr long messages = 10000;
        channels c(count + 1);
        group members;
        auto begin = clk::now();

        members.spawn([&] { count_up(c.front(), messages); });
        for (long i = 0; i < count; i++) {
                members.spawn([&in = c[i], &out = c[i + 1]] {
                        for (long n; pop(in, n);)
                                push(out, n);
                        out.close();
                });
        }
        members.spawn([&] {
                for (long i = 0; i < messages; i++)
                        check(c.back().value_pop() == i, "a wrong message");
        });
        members.join();
        print_ms(begin);
}

void diagonal()
{
        constexpr long messages = 20000;
        channel ints, sums;
        channels dims(count), squares(count);
        fibers::unbuffered_channel<double> lengths;
        group members;
        auto begin = clk::now();

        members.spawn([&] { count_up(ints, messages); });
        members.spawn([&] {
                for (long n; pop(ints, n);) {
                        for (auto &out : dims)
                                push(out, n);
                }
                for (auto &out : dims)
                        out.close();
        });
        for (long i = 0; i < count; i++) {
                members.spawn([&in = dims[i], &out = squares[i]] {
                        for (long n; pop(in, n);)
                                push(out, n * n);
                });
        }
        members.spawn([&] {
                for (long i = 0; i < messages; i++) {
                        long sum = 0;

                        for (auto &in : squares)
                                sum += in.value_pop();
                        push(sums, sum);
                }
                sums.close();
        });
        members.spawn([&] {
                for (long n; pop(sums, n);)
                        lengths.push(std::sqrt(n));
        });
        for (long i = 0; i < messages; i++)
                check(lengths.value_pop() == std::sqrt(count * i * i), "a wrong length");
        print_ms(begin);
        members.join();
}

void fan_out()
{
        constexpr long messages = 200000;
        channel c;
        std::atomic<long> sum{ 0 };
        group members;
        auto begin = clk::now();

        for (long i = 0; i < count; i++) {
                members.spawn([&] {
                        long ours = 0;

                        for (long n; pop(c, n);)
                                ours += n;
                        sum += ours;
                });
        }
        count_up(c, messages);
        members.join();
        print_ms(begin);
        check(sum == messages * (messages - 1) / 2, "a lost message");
}

void ping_pong()
{
        constexpr long messages = 10000;
        channels c(count);
        group members;
        auto begin = clk::now();

        for (auto &both : c) {
                members.spawn([&] { answer(both, both, messages); });
                members.spawn([&] { ask(both, both, messages); });
        }
        members.join();
        print_ms(begin);
}
