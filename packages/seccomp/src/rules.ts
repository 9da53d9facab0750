import type { SeccompActionName } from "@nearfar/core/internal";
import type { CallName } from "./calls.generated.ts";

/**
 * Rules about system calls, from which {@link compileFilter} makes a filter.
 *
 * @example
 * ```ts
 * const rules: SeccompRules = {
 *   default: "allow",
 *   rules: [{ calls: ["add_key", "keyctl", "request_key"], action: { errno: "EPERM" } }],
 * };
 * console.log(compileFilter(rules).length % 8); // 0
 * ```
 */
export interface SeccompRules {
	/** What happens to a call that no rule matches. */
	default: SeccompAction;
	/** The rules, of which the first one that matches a call decides. Default: none. */
	rules?: readonly SeccompRule[];
	/**
	 * What happens, before any rule, to a number that is none of a {@link CallName}: to the calls of a kernel newer than Linux 7.0, and
	 * on x64 to those of x32. Default: `{ errno: "ENOSYS" }`, after which programs do without the call. With `"allow"` an x32
	 * number reaches what the rules refuse, where the kernel has x32.
	 */
	unknown?: SeccompAction;
}

/**
 * A rule: what happens to some calls.
 *
 * @example
 * ```ts
 * const noBluetooth: SeccompRule = {
 *   calls: ["socket", "socketpair"],
 *   args: [{ index: 0, op: "==", value: 31, mask: 0xffff_ffff }], // AF_BLUETOOTH
 *   action: { errno: "EAFNOSUPPORT" },
 * };
 * ```
 */
export interface SeccompRule {
	/** The calls. A call that the architecture does not have, as `open` on arm64, is left out. */
	calls: readonly CallName[];
	/** What happens to them. */
	action: SeccompAction;
	/** What their arguments have to be: the rule matches where all of these hold. Default: no condition. */
	args?: readonly SeccompCondition[];
}

/**
 * A condition on one argument of a call.
 *
 * The kernel compares registers of 64 bits. A call that takes an `int` uses the low 32 bits alone, and a program may put anything
 * into the high ones. So such an argument needs the mask `0xffff_ffff`; without the mask a rule about it can be got around.
 *
 * @example
 * ```ts
 * const pushesInput: SeccompCondition = { index: 1, op: "==", value: 0x5412, mask: 0xffff_ffff }; // TIOCSTI of ioctl(2)
 * const makesNamespaces: SeccompCondition = { index: 0, op: "!=", value: 0, mask: 0x7e02_0080 }; // CLONE_NEW…
 * ```
 */
export interface SeccompCondition {
	/** The index of the argument, 0 to 5. */
	index: number;
	/** How the argument is compared: as an unsigned number of 64 bits. */
	op: "==" | "!=" | "<" | "<=" | ">" | ">=";
	/**
	 * The number that the argument is compared with: a whole number of at most 53 bits, or a bigint from -2^63 to 2^64-1. A negative number
	 * means the same bits as in C: -1 is 2^64-1. Refused: a bit that is not in `mask`, as the argument never has it.
	 */
	value: number | bigint;
	/** The bits of the argument that count, a number as `value` is. All others are taken as 0. Default: all 64 bits. */
	mask?: number | bigint;
}

/**
 * What a filter does with a call.
 *
 * - `"allow"`: the kernel makes the call.
 * - `{ errno }`: the call fails with this error: a name that `os.constants.errno` of Node has, or a number from 0 to 4095. With 0
 *   the call returns 0.
 * - `"kill"`: the process ends with SIGSYS (`SECCOMP_RET_KILL_PROCESS`).
 * - `"killThread"`: the thread ends as with SIGSYS, and the other threads go on, which few programs survive.
 * - `"trap"`: the thread gets the signal SIGSYS, which a program can handle.
 * - `"log"`: the kernel makes the call and logs it.
 * - `{ trace }`: a tracer decides, which gets this number from 0 to 65535. Without a tracer the call fails with `ENOSYS`.
 *
 * @example
 * ```ts
 * const actions: SeccompAction[] = ["allow", "log", { errno: "ENOSYS" }, { errno: 38 }, "kill"];
 * ```
 */
export type SeccompAction = SeccompActionName | { errno: string | number } | { trace: number };
