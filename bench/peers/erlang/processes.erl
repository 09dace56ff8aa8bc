%% Workloads of Erlang that are mostly about processes.
%% SPDX-License-Identifier: MIT
-module(processes).
-export([spawn_many/1, skynet/1, yield/1, fib/1, timers/1, sleepers/1, idle/1, speedup/1]).

spawn_many(Count) ->
    Self = self(),
    bench:times(Count, fun() -> spawn(fun() -> Self ! done end) end),
    bench:wait_for(Count).

skynet(Count) ->
    Self = self(),
    spawn(fun() -> node(Self, 0, Count) end),
    receive Sum -> bench:check(Sum =:= Count * (Count - 1) div 2, "a wrong sum") end.

node(Parent, Number, 1) ->
    Parent ! Number;
node(Parent, Number, Size) ->
    Self = self(),
    Part = Size div 10,
    [spawn(fun() -> node(Self, Number + I * Part, Part) end) || I <- lists:seq(0, 9)],
    Parent ! sum(10, 0).

sum(0, Sum) -> Sum;
sum(N, Sum) -> receive Part -> sum(N - 1, Sum + Part) end.

yield(Count) ->
    Self = self(),
    bench:times(2, fun() ->
        spawn(fun() -> yield_often(Count), Self ! done end)
    end),
    bench:wait_for(2).

yield_often(0) ->
    ok;
yield_often(N) ->
    erlang:yield(),
    yield_often(N - 1).

fib(N) ->
    Self = self(),
    spawn(fun() -> fib(Self, N) end),
    receive Found -> bench:check(Found =:= plain_fib(N, 0, 1), "a wrong number") end.

fib(Parent, N) when N < 2 ->
    Parent ! N;
fib(Parent, N) ->
    Self = self(),
    spawn(fun() -> fib(Self, N - 1) end),
    spawn(fun() -> fib(Self, N - 2) end),
    Parent ! sum(2, 0).

plain_fib(0, A, _) -> A;
plain_fib(N, A, B) -> plain_fib(N - 1, B, A + B).

%% Erlang's timers count in milliseconds.
timers(Count) ->
    Self = self(),
    [spawn(fun() -> Self ! {late, naps(20, Seed)} end) || Seed <- lists:seq(1, Count)],
    Late = lists:sort(lists:append([receive {late, L} -> L end || _ <- lists:seq(1, Count)])),
    bench:check(hd(Late) >= 0, "woken too early"),
    [lists:nth(length(Late) * Percent div 100 + 1, Late) / 1000 || Percent <- [50, 99]].

naps(0, _) ->
    [];
naps(N, Seed) ->
    Random = Seed * 48271 rem 2147483647,
    Ms = 1 + Random rem 100,
    Begin = erlang:monotonic_time(nanosecond),
    receive after Ms -> ok end,
    Late = erlang:monotonic_time(nanosecond) - Begin - Ms * 1000000,
    [Late | naps(N - 1, Random)].

sleepers(Count) ->
    Self = self(),
    bench:times(Count, fun() -> spawn(fun() -> receive after 1000 -> Self ! done end end) end),
    bench:wait_for(Count).

idle(Count) ->
    Waiting = counters:new(1, []),
    Before = resident_bytes(),
    bench:times(Count, fun() ->
        spawn(fun() ->
            counters:add(Waiting, 1, 1),
            receive _ -> bench:check(false, "a message out of nowhere") end
        end)
    end),
    wait_until(fun() -> counters:get(Waiting, 1) =:= Count end),
    timer:sleep(10),
    Growth = resident_bytes() - Before,
    bench:check(erlang:system_info(process_count) > Count, "a lost process"),
    [Growth / Count].

wait_until(Condition) ->
    case Condition() of
        true -> ok;
        false -> timer:sleep(1), wait_until(Condition)
    end.

resident_bytes() ->
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [KiB]} = re:run(Status, "VmRSS:\\s*(\\d+)", [{capture, all_but_first, list}]),
    list_to_integer(KiB) * 1024.

%% How many steps take 20 ms is measured first.
speedup(Count) ->
    Self = self(),
    Trial = 100000,
    Nanoseconds = lists:min([element(1, compute_timed(Trial)) || _ <- lists:seq(1, 5)]),
    Steps = round(Trial * 20.0e6 / Nanoseconds),
    {_, Expected} = compute_timed(Steps),
    Begin = erlang:monotonic_time(nanosecond),
    bench:times(Count, fun() ->
        spawn(fun() ->
            bench:check(compute(1, Steps) =:= Expected, "a wrong result"),
            Self ! done
        end)
    end),
    bench:wait_for(Count),
    [(erlang:monotonic_time(nanosecond) - Begin) / 1.0e6].

compute_timed(Steps) ->
    Begin = erlang:monotonic_time(nanosecond),
    Result = compute(1, Steps),
    {erlang:monotonic_time(nanosecond) - Begin, Result}.

compute(X, 0) ->
    X;
compute(X, Steps) ->
    compute((X * 6364136223846793005 + 1442695040888963407) band 16#FFFFFFFFFFFFFFFF, Steps - 1).
