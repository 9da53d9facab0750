import type { NamespaceKind } from "../addon/flags.generated.ts";
import type { AnyTask } from "../target/target.ts";
import { hasCapability, statusOf } from "./look.ts";
import { CAP_SYS_ADMIN, CAP_SYS_CHROOT } from "./say.ts";

/**
 * Returns what to use in place of a thread of this process, which the kernel has refused a call with EPERM. `undefined`: the thread has
 * the privilege, and something else is in the way.
 *
 * @param task - The thread. For a thread that could not begin, this process, which has the same privilege.
 * @param kinds - The namespaces that the call was to make or enter. Default: none.
 */
export function hintForThread(task: AnyTask, kinds: readonly NamespaceKind[] = []): string | undefined {
	const status = statusOf(task);
	if (!status) return undefined;
	const { effective, effectiveText } = status;
	const missing = [
		...(hasCapability(effective, CAP_SYS_ADMIN) ? [] : ["CAP_SYS_ADMIN"]),
		...(!kinds.includes("mnt") || hasCapability(effective, CAP_SYS_CHROOT) ? [] : ["CAP_SYS_CHROOT"]),
	];
	if (missing.length === 0) return undefined;
	const own = kinds[0] === undefined ? "" : `, "${kinds.join('", "')}"`;
	return `a thread has the privilege of Node, which lacks ${missing.join(" and ")} (CapEff: ${effectiveText}): use a task, Task.clone({ namespaces: ["user"${own}] }), or one that joins the user namespace first; task.get(socket) brings a socket of the task into Node`;
}
