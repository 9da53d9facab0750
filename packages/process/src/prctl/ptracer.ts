import { Process } from "@nearfar/core";
import { pid as checkPid, native, prctlOptions, wrongType } from "@nearfar/core/internal";
import { withPid } from "../with-pid.ts";

const NOBODY = 0;
const ANYBODY = -1n; // PR_SET_PTRACER_ANY

/**
 * Permits one process and its descendants to trace the current task, or Node.
 *
 * This matters where the Yama security module lets only ancestors trace (`kernel.yama.ptrace_scope` is 1). The kernel
 * offers no way to read the permission back.
 *
 * @param tracer - A pid from 1 to 2147483647, or a process. `"any"`: every process. `null`: only ancestors, as at
 * first.
 * @throws `EINVAL` No process has the pid, or the kernel runs without Yama.
 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` `tracer` has its pid in another pid namespace than the current task.
 * @throws `ERR_NEARFAR_CHILD_DEAD` `tracer` is a child that has ended.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `tracer` is neither a number, a `Process`, `"any"` nor `null`.
 * @throws `RangeError` The pid is not an integer from 1 to 2147483647.
 * @example Let a crash handler look into Node
 * ```ts
 * try {
 *   setPtracer(process.ppid);
 * } catch (error) {
 *   console.log((error as NodeJS.ErrnoException).code); // EINVAL: there is no Yama here, and nothing to permit
 * }
 * ```
 * @see PR_SET_PTRACER(2const), Linux 3.4; no privilege
 */
export function setPtracer(tracer: number | Process | "any" | null): void {
	const permit = (pid: number | bigint) => native().setPrctl(prctlOptions.setPtracer, [pid]);
	if (tracer === null) permit(NOBODY);
	else if (tracer === "any") permit(ANYBODY);
	else if (typeof tracer === "number") permit(checkPid(tracer, "tracer"));
	else if (tracer instanceof Process) withPid(tracer, "tracer", "prctl", permit);
	else throw wrongType("tracer", 'a number, a Process, "any" or null', tracer);
}
