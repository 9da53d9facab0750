import { BatchError, type ProcessOption } from "@nearfar/core";
import {
	applySecureBits,
	options as checkOptions,
	checkSecureBits,
	currentBatch,
	namedSecureBits,
	native,
	onEveryThread,
	prctlOptions,
	secureBitsOf,
	secureBitValues,
	setpcap,
} from "@nearfar/core/internal";
import { explained } from "./kernel.ts";

/**
 * The name of a securebit.
 *
 * - `noRoot`: user 0 gains nothing on execve(2).
 * - `noSetuidFixup`: a change of user ids does not change capabilities.
 * - `keepCaps`: the permitted capabilities survive when no user id is 0 any more. execve(2) clears this bit.
 * - `noCapAmbientRaise`: the ambient set cannot grow.
 * - `execRestrictFile`: interpreters shall ask the kernel before they run a file. Linux 6.14.
 * - `execDenyInteractive`: interpreters shall not run interactive commands. Linux 6.14.
 */
export type SecureBit = keyof typeof secureBitValues;

/** The securebits of a task. */
export interface SecureBits {
	/** The bits that are set. */
	set: SecureBit[];
	/** The bits whose value is final. */
	locked: SecureBit[];
	/** All bits as the kernel has them, also those without a name. */
	bits: number;
}

/** The bits that kernels before Linux 6.14 refuse. */
const young = secureBitValues.execRestrictFile | secureBitValues.execDenyInteractive;

/**
 * The securebits: how user 0, changes of user ids and the ambient set behave. Programs and clones inherit them.
 *
 * @example A task whose user 0 is a user like any other
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
 * task.run(() => {
 *   securebits.set(["noRoot"]);
 *   securebits.lock(["noRoot"]);
 *   console.log(securebits.read()); // { set: [ 'noRoot' ], locked: [ 'noRoot' ], bits: 3 }
 * });
 * ```
 * @see capabilities(7), PR_SET_SECUREBITS(2const), Linux 2.6.26
 */
export const securebits: {
	/**
	 * Reads the securebits of the current task, or, near, of the calling thread.
	 *
	 * @returns The bits that are set, and the bits that are locked.
	 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @example
	 * ```ts
	 * console.log(securebits.read().set);
	 * ```
	 * @see PR_GET_SECUREBITS(2const), Linux 2.6.26; no privilege
	 */
	read(): SecureBits;

	/**
	 * Sets the securebits.
	 *
	 * With names, exactly these bits are set, and locks and bits without a name stay as they are: the function reads the bits
	 * first. With a number, the function sets this number, locks included. A batch cannot read, and needs a number.
	 *
	 * @param bits - The names of the bits that shall be set, or all bits as a number from 0 to 4294967295.
	 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near. Default: `false`.
	 * @throws `EPERM` The task has no CAP_SETPCAP. The kernel asks for it also where nothing changes, and for `keepCaps`, which
	 * `setKeepCaps` of `@nearfar/process` sets without a privilege. Where no bit but `execRestrictFile` and
	 * `execDenyInteractive` changes, no privilege is needed.
	 * @throws `EPERM` A locked bit would change, or a lock would be taken away; `error.hint` names the bit.
	 * @throws `EPERM` The kernel does not know a bit: `execRestrictFile` and `execDenyInteractive` need Linux 6.14.
	 * @throws `ERR_NEARFAR_MULTITHREADED` Called near without `process`: the kernel would change one thread of many.
	 * @throws `ERR_NEARFAR_BATCH` The call is in a batch, and `bits` are names.
	 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
	 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
	 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
	 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `bits` is neither an array of names nor a number, or an option is unknown or of the wrong type.
	 * @throws `RangeError` The number is not a whole number from 0 to 4294967295.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	 * task.run(() => securebits.set(["noRoot", "noSetuidFixup"]));
	 * ```
	 * @see PR_SET_SECUREBITS(2const), Linux 2.6.26; CAP_SETPCAP
	 */
	set(bits: readonly SecureBit[] | number, options?: ProcessOption): void;

	/**
	 * Locks securebits: their present values become final, for the task and for everything that it starts.
	 *
	 * The function reads the bits first, which a batch cannot do: {@link securebits.set} takes a number there.
	 *
	 * @param bits - The names of the bits to lock. Default: all that this kernel has.
	 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near. Default: `false`.
	 * @throws `EPERM` The task has no CAP_SETPCAP. The locks of `execRestrictFile` and `execDenyInteractive` alone need no privilege.
	 * @throws `EPERM` The kernel does not know a bit: `execRestrictFile` and `execDenyInteractive` need Linux 6.14.
	 * @throws `ERR_NEARFAR_MULTITHREADED` Called near without `process`: the kernel would change one thread of many.
	 * @throws `ERR_NEARFAR_BATCH` The call is in a batch.
	 * @throws `ERR_NEARFAR_IO_URING` With `process`: Node has an io_uring, which would keep its credentials.
	 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: a thread of Node did not answer.
	 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has other credentials than the calling thread.
	 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
	 * @throws `TypeError` `bits` is no array of names, or an option is unknown or of the wrong type.
	 * @example
	 * ```ts
	 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
	 * task.run(() => securebits.lock());
	 * ```
	 * @see PR_SET_SECUREBITS(2const), Linux 2.6.26; CAP_SETPCAP
	 */
	lock(bits?: readonly SecureBit[], options?: ProcessOption): void;
} = {
	read() {
		const bits = read();
		return { set: namesOf(bits), locked: namesOf(bits >>> 1), bits };
	},
	set(bits, options) {
		const given = checkSecureBits(bits, "bits");
		onEveryThread(checkOptions(options, ["process"]), "prctl", () => {
			if (typeof given === "number") {
				write(given);
			} else {
				refuseBatch("securebits.set with names");
				write(applySecureBits(given, read()));
			}
		});
	},
	lock(bits, options) {
		const given = bits === undefined ? undefined : secureBitsOf(bits, "bits");
		onEveryThread(checkOptions(options, ["process"]), "prctl", () => {
			refuseBatch("securebits.lock");
			const wanted = given ?? (native().hasExecSecurebits() ? namedSecureBits : namedSecureBits & ~young);
			write((read() | (wanted << 1)) >>> 0);
		});
	},
};

function read(): number {
	return Number(native().prctl(prctlOptions.getSecurebits, []).result);
}

function write(bits: number): void {
	explained(
		() => native().setPrctl(prctlOptions.setSecurebits, [bits]),
		() => hintFor(bits),
	);
}

/** Returns why the kernel refuses these securebits. Reads the present ones of the current task. */
function hintFor(wanted: number): string | undefined {
	const before = read();
	const locked = namesOf((before >>> 1) & (before ^ wanted));
	const unlocked = namesOf((before & ~wanted) >>> 1);
	const unknown = wanted & ~(namedSecureBits | (namedSecureBits << 1));
	if (locked.length > 0) return `${locked.join(", ")} cannot change any more, because a lock is set`;
	if (unlocked.length > 0) return `the lock of ${unlocked.join(", ")} cannot be taken away`;
	if (unknown) return `no kernel that is known here has the bits 0x${(unknown >>> 0).toString(16)}`;
	if (wanted & (young | (young << 1)) && !native().hasExecSecurebits()) {
		return "execRestrictFile and execDenyInteractive need Linux 6.14";
	}
	const [effective = 0n] = native().capget(0);
	if (effective & setpcap) return undefined;
	return (before ^ wanted) === secureBitValues.keepCaps
		? "CAP_SETPCAP is not effective; keepCaps alone needs no privilege in setKeepCaps of @nearfar/process"
		: "CAP_SETPCAP is not effective";
}

function refuseBatch(call: string): void {
	if (!currentBatch()) return;
	throw new BatchError(`${call} reads the bits first, and a batch cannot read: pass a number to securebits.set`);
}

function namesOf(bits: number): SecureBit[] {
	return (Object.keys(secureBitValues) as SecureBit[]).filter((name) => bits & secureBitValues[name]);
}
