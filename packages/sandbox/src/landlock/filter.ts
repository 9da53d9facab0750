import type { CallName, SeccompAction, SeccompCondition, SeccompRule } from "@nearfar/seccomp";
import { AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, compileDefault, ENOSYS, EPERM, LOW } from "../filter.ts";

const [SOCK_STREAM, SOCK_SEQPACKET, SOCK_TYPE_MASK] = [1, 5, 0xf];
const [IPPROTO_IP, IPPROTO_TCP] = [0, 6];
const MSG_FASTOPEN = 0x2000_0000;
const EOPNOTSUPP: SeccompAction = { errno: "EOPNOTSUPP" };
/** `S_ISUID` and `S_ISGID`. */
const SET_ID_BITS = 0o6000;
const [PRIO_PROCESS, IOPRIO_WHO_PROCESS] = [0, 1];

/** What the filter depends on. */
export interface FilterNeeds {
	/** What the sandbox reaches: nothing, what the host does, or what its proxy leads to. */
	readonly network: "none" | "host" | "proxy";
	/** Whether Landlock decides which Unix sockets are reached by path. */
	readonly checksUnixSockets: boolean;
}

const compiled = new Map<string, Uint8Array>();

/**
 * Returns the filter of a sandbox that has no namespaces: the default filter, and what else Landlock does not cover. Each one is compiled
 * once in a process.
 */
export function landlockFilter(needs: FilterNeeds): Uint8Array {
	const key = `${needs.network} ${needs.checksUnixSockets}`;
	const filter = compiled.get(key) ?? compileDefault([...socketRules(needs), ...rules]);
	compiled.set(key, filter);
	return filter;
}

function socketRules({ network, checksUnixSockets }: FilterNeeds): SeccompRule[] {
	const families = [
		...(checksUnixSockets ? [AF_UNIX] : []),
		...(network === "host" ? [AF_INET, AF_INET6, AF_NETLINK] : []),
	];
	// A pair of datagram sockets would do for all that is refused: each of them sends to any path.
	const pairs = checksUnixSockets ? [[]] : [SOCK_STREAM, SOCK_SEQPACKET].map((type) => [typeIs(type)]);
	return [
		...pairs.map((more) => allow("socketpair", [is(0, AF_UNIX), ...more])),
		...families.map((family) => allow("socket", [is(0, family)])),
		...(network === "proxy" ? proxyRules : []),
		{ calls: ["socket", "socketpair"], action: EPERM },
	];
}

/** Landlock compares the port of connect(2), and of no other call that opens a connection. */
const proxyRules: readonly SeccompRule[] = [
	...[IPPROTO_IP, IPPROTO_TCP].map((protocol) =>
		allow("socket", [is(0, AF_INET), typeIs(SOCK_STREAM), is(2, protocol)]),
	),
	{ calls: ["sendto", "sendmmsg"], args: [has(3, MSG_FASTOPEN)], action: EOPNOTSUPP },
	{ calls: ["sendmsg"], args: [has(2, MSG_FASTOPEN)], action: EOPNOTSUPP },
	// A socket that listens without bind(2) gets a port of every address of the host.
	{ calls: ["listen"], action: EPERM },
];

/** What reaches processes outside, or changes files everywhere, and is no business of Landlock. */
const rules: readonly SeccompRule[] = [
	...refuseUnless(
		["prlimit64", "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr"],
		[is(0, 0)],
	),
	...refuseUnless(["setpriority"], [is(0, PRIO_PROCESS), is(1, 0)]),
	...refuseUnless(["ioprio_set"], [is(0, IOPRIO_WHO_PROCESS), is(1, 0)]),
	// Memory, semaphores and queues of the host.
	{
		calls: [
			...(["shmget", "shmat", "shmctl", "semget", "semop", "semtimedop", "semctl"] as const),
			...(["msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink"] as const),
		],
		action: ENOSYS,
	},
	// Otherwise a program of root makes a shell of root that everybody may execute.
	{ calls: ["chmod", "fchmod"], args: [has(1, SET_ID_BITS)], action: EPERM },
	{ calls: ["fchmodat", "fchmodat2"], args: [has(2, SET_ID_BITS)], action: EPERM },
	{ calls: ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"], action: ENOSYS },
];

/** Returns rules that refuse calls unless all of the conditions hold. */
function refuseUnless(calls: readonly CallName[], conditions: readonly SeccompCondition[]): SeccompRule[] {
	return conditions.map((condition) => ({ calls, args: [{ ...condition, op: "!=" }], action: EPERM }));
}

function allow(call: CallName, args: readonly SeccompCondition[]): SeccompRule {
	return { calls: [call], args, action: "allow" };
}

/** The calls take numbers of 32 bits. */
function is(index: number, value: number): SeccompCondition {
	return { index, op: "==", value, mask: LOW };
}

function has(index: number, bits: number): SeccompCondition {
	return { index, op: "!=", value: 0, mask: bits };
}

function typeIs(type: number): SeccompCondition {
	return { index: 1, op: "==", value: type, mask: SOCK_TYPE_MASK };
}
