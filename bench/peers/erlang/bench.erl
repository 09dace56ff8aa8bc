%% The benchmark program of Erlang: which workloads it has, and what runs one.
%% SPDX-License-Identifier: MIT
-module(bench).
-export([main/1, check/2, times/2, wait_for/1]).

%% Name, the default of COUNT, what is printed, and the function.
workloads() ->
    [{"pingpong", 1000000, {ns, 1}, fun messages:pingpong/1},
     {"spawn", 1000000, {ns, 1}, fun processes:spawn_many/1},
     {"ring", 2000000, {ns, 1}, fun messages:ring/1},
     {"skynet", 1000000, ms, fun processes:skynet/1},
     {"sieve", 2000, ms, fun messages:sieve/1},
     {"select", 1000000, {ns, 1}, fun messages:select/1},
     {"select-timeout", 1000000, {ns, 1}, fun messages:select_timeout/1},
     {"yield", 2000000, {ns, 2}, fun processes:yield/1},
     {"fib", 24, ms, fun processes:fib/1},
     {"timers", 1000, figures, fun processes:timers/1},
     {"sleepers", 1000000, ms, fun processes:sleepers/1},
     {"idle", 1000000, figures, fun processes:idle/1},
     {"speedup", 64, figures, fun processes:speedup/1},
     {"chain", 100, ms, fun messages:chain/1},
     {"diagonal", 10, ms, fun messages:diagonal/1},
     {"fan-out", 100, ms, fun messages:fan_out/1},
     {"ping-pong", 100, ms, fun messages:ping_pong/1}].

main(["list"]) ->
    [io:format("~s 1 2~n", [Name]) || {Name, _, _, _} <- workloads()],
    halt(0);
main([Name, Workers | Count]) ->
    case lists:keyfind(Name, 1, workloads()) of
        {Name, Default, Unit, Run} when Workers =:= "1"; Workers =:= "2" ->
            print(measure(Unit, Run, count(Count, Default))),
            halt(0);
        _ ->
            io:format(standard_error, "erlang: no ~s with ~s workers~n", [Name, Workers]),
            halt(77)
    end;
main(_) ->
    io:format(standard_error, "usage: erlang WORKLOAD WORKERS [COUNT]~n", []),
    halt(2).

count([], Default) -> Default;
count([Count], _) -> list_to_integer(Count).

measure({ns, Steps}, Run, Count) -> [nanoseconds(Run, Count) / (Steps * Count)];
measure(ms, Run, Count) -> [nanoseconds(Run, Count) / 1.0e6];
measure(figures, Run, Count) -> Run(Count).

nanoseconds(Run, Count) ->
    Begin = erlang:monotonic_time(nanosecond),
    Run(Count),
    erlang:monotonic_time(nanosecond) - Begin.

print(Figures) ->
    io:format("~s~n", [lists:join(" ", [io_lib:format("~.1f", [F]) || F <- Figures])]).

%% What the workloads have in common.

check(true, _) ->
    ok;
check(false, What) ->
    io:format(standard_error, "erlang: ~s~n", [What]),
    halt(1).

times(0, _) ->
    ok;
times(N, F) ->
    F(),
    times(N - 1, F).

wait_for(0) -> ok;
wait_for(N) -> receive done -> wait_for(N - 1) end.
