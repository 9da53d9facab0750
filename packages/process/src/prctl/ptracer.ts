import { Process } from "@nearfar/core";
import { pid as checkPid, native, prctlOptions, wrongType } from "@nearfar/core/internal";
import { withPid } from "../with-pid.ts";

const NOBODY = 0;
const ANY = -1n; // PR_SET_PTRACER_ANY

/**
 * Permits one process, and its descendants, to trace the current task, or Node, where the Yama security module would let
 * only an ancestor (`kernel.yama.ptrace_scope` 1). It cannot be read back.
 *
 * @param tracer - A pid or a process; `"any"`; or `null`: nobody but an ancestor, as in the beginning.
 * @throws `EINVAL` nobody has the pid, or the kernel runs without Yama · `NamespaceMismatchError` a process of another
 * pid namespace · `ChildDeadError` · `TaskGoneError`
 * @example Let a crash handler look into us
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
	else if (tracer === "any") permit(ANY);
	else if (typeof tracer === "number") permit(checkPid(tracer, "tracer"));
	else if (tracer instanceof Process) withPid(tracer, "tracer", "prctl", permit);
	else throw wrongType("tracer", 'a number, a Process, "any" or null', tracer);
}
