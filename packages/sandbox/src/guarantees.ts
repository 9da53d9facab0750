import type { CheckedEnvironment } from "./check.ts";
import { abis } from "./host/landlock.ts";
import { reached } from "./network/planned.ts";
import type { Blueprint, Plan } from "./plan.ts";

/** Whether something is guaranteed: `true`, or what the options have taken from it. */
export type Guarantee = true | { readonly relaxed: string };

/** What is in force in a sandbox, item by item. */
export interface Guarantees {
	/** It writes nowhere on the host but in `write`, and reads nothing but what is shown. */
	readonly files: Guarantee;
	/** Nothing leads to the root of the host. */
	readonly root: Guarantee;
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
	/**
	 * The memory of everything in the sandbox is limited together, as `/proc` shows of the command itself, or of process 1 before there is
	 * one. Absent: without `limits.memory`.
	 */
	readonly memory?: Guarantee;
	/** Everything ends with the command, with the sandbox, and with Node. */
	readonly end: Guarantee;
	/** Host id 0 and the keys of root are not those of a program. */
	readonly ids: Guarantee;
	/** What `/proc` and `/sys` could change is read-only, and what tells about others is empty. */
	readonly kernelFiles: Guarantee;
}

/**
 * Returns what is in force in a sandbox of a plan.
 *
 * @param group - What was found out of the group of a process.
 */
export function guaranteesOf(blueprint: Blueprint, group?: Guarantee): Guarantees {
	const { options, plan, owners } = blueprint;
	const { tmp, syscalls, env, limits } = options;
	const memory = group !== undefined && limits.memory !== undefined && { memory: group };
	if (blueprint.confined) return { ...landlockGuarantees(blueprint), ...memory };
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
		environment: environmentGuarantee(env, plan),
		...memory,
		end: true,
		ids: inUserNamespace("makes the programs user 0 of the caller, without capabilities"),
		kernelFiles: true,
	};
}

/** Returns what is in force in a sandbox that has no namespaces. */
function landlockGuarantees({ options, plan, owners, abi = 0 }: Blueprint): Guarantees {
	const of = (relaxed: string): Guarantee => ({ relaxed: `isolation: "landlock" ${relaxed}` });
	const isRoot = owners === "uid0";
	const without = options.without.size > 0 ? `, without ${[...options.without].join(", ")}` : "";
	const tmp = options.tmp === "host" ? ", and /tmp and /var/tmp of the host, writable" : "";
	const hasScope = abi >= abis.scope;
	const outside = isRoot ? "processes of root outside" : "processes of the same user outside";
	return {
		files: of(
			`shows names and attributes of all files, and lets modes and times of own files be changed${tmp}${without}`,
		),
		root: of("leaves the root of the host in its place"),
		processes: of(hasScope ? "shows the processes outside" : `of ABI ${abi} lets a program signal ${outside}`),
		network: landlockNetworkOf(plan.network),
		capabilities: isRoot ? of("leaves the ban of user namespaces to the filter alone") : true,
		systemCalls: true,
		inherited: true,
		environment: environmentGuarantee(options.env, plan),
		end: hasScope || of(`of ABI ${abi} lets a program kill the task that ends the others`),
		ids: of(
			isRoot
				? "makes the programs user 0 of the caller, without capabilities"
				: "leaves the programs the ids of the caller",
		),
		kernelFiles: of("shows /proc and /sys of the host"),
	};
}

/** Landlock compares the port of a connection, and not its address. */
function landlockNetworkOf(network: Plan["network"]): Guarantee {
	if (typeof network === "string") return networkOf(network);
	const port = "the port of the proxy at any address, because Landlock compares ports alone";
	return { relaxed: `network leads to ${[...reached(network), port].join(", ")}` };
}

function environmentGuarantee({ inherit }: CheckedEnvironment, { env }: Plan): Guarantee {
	return inherit === "all" ? { relaxed: `env.inherit passes all ${env.length} variables` } : true;
}

function networkOf(network: Plan["network"]): Guarantee {
	if (network === "none") return true;
	if (network === "host") return { relaxed: 'network: "host" is the network of the caller, with its abstract sockets' };
	const ways = reached(network);
	return ways.length === 0 ? true : { relaxed: `network leads to ${ways.join(", ")}` };
}
