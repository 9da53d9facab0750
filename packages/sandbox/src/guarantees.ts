import { reached } from "./network/planned.ts";
import type { Blueprint, Plan } from "./plan.ts";

/** Whether something is guaranteed: `true`, or what the options have taken from it. */
export type Guarantee = true | { readonly relaxed: string };

/** What is in force in a sandbox, item by item. */
export interface Guarantees {
	/** It writes nowhere on the host but in `write`, and reads nothing but what is shown. */
	readonly files: Guarantee;
	/** Nothing leads to the root of the host. */
	readonly root: true;
	/** No process outside, and not process 1 of the sandbox, can be seen, signalled, traced or waited for. */
	readonly processes: Guarantee;
	/** No packet leaves, and no socket of the host is reachable but those of `sockets` and `write`. */
	readonly network: Guarantee;
	/** No program has a capability or gets one, nor a user namespace. */
	readonly capabilities: Guarantee;
	/** The system calls of the default filter are refused. */
	readonly systemCalls: Guarantee;
	/** No session keyring, terminal, working directory or descriptor of the caller but 0, 1, 2 and those of `stdio`. */
	readonly inherited: true;
	/** No variable but the usual ones and those that are named. */
	readonly environment: Guarantee;
	/** Everything ends with the command, with the sandbox, and with Node. */
	readonly end: true;
	/** Host id 0 and the keys of root are not those of a program. */
	readonly ids: Guarantee;
	/** What `/proc` and `/sys` could change is read-only, and what tells about others is empty. */
	readonly kernelFiles: true;
}

/** Returns what is in force in a sandbox of a plan. */
export function guaranteesOf({ options, plan, owners }: Blueprint): Guarantees {
	const { tmp, syscalls, env } = options;
	const { network } = plan;
	const inUserNamespace = (relaxed: string): Guarantee =>
		owners === "uid0" ? { relaxed: `rootFallback: "uid0" ${relaxed}` } : true;
	return {
		files: tmp === "host" ? { relaxed: 'tmp: "host" shows /tmp and /var/tmp of the host, writable' } : true,
		root: true,
		processes: inUserNamespace("lets a program change limits and priorities of process 1 of the sandbox"),
		network: networkOf(network),
		capabilities: inUserNamespace("leaves the ban of user namespaces to the filter alone"),
		systemCalls:
			syscalls === "default"
				? true
				: { relaxed: syscalls === "all" ? 'syscalls: "all" refuses none' : "syscalls are the caller's rules" },
		inherited: true,
		environment: env.inherit === "all" ? { relaxed: `env.inherit passes all ${plan.env.length} variables` } : true,
		end: true,
		ids: inUserNamespace("makes the programs user 0 of the caller, without capabilities"),
		kernelFiles: true,
	};
}

function networkOf(network: Plan["network"]): Guarantee {
	if (network === "none") return true;
	if (network === "host") return { relaxed: 'network: "host" is the network of the caller, with its abstract sockets' };
	const ways = reached(network);
	return ways.length === 0 ? true : { relaxed: `network leads to ${ways.join(", ")}` };
}
