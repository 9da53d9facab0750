import type { FailureData } from "../../native/binding.js";
import { capabilities } from "../addon/flags.generated.ts";
import { hasCapability } from "../process/capability-bits.ts";
import type { AnyTask } from "../target/target.ts";
import { ownNamespaces } from "../task/namespaces.ts";
import { stateOf, threadId } from "../task/state.ts";
import { coversBelow, effectiveOf, mountsOf } from "./look.ts";
import { restricted } from "./namespace-hint.ts";
import { say } from "./say.ts";
import { hintForCallOfThread, hintForNetworkOfThread } from "./thread-hint.ts";

const nameCalls = /^set(host|domain)name$/;

/** The calls that need CAP_SYS_ADMIN over a namespace. */
const needSysAdmin = ["sethostname", "setdomainname", "mount", "fsopen", "fsconfig", "fsmount"];

/**
 * Returns what stands in the way of a call that the kernel has refused with EPERM, or with ENOENT below `/proc`. `undefined`: no file explains the refusal.
 *
 * @param task - The task that has made the call.
 * @param failure - The failure.
 */
export function hintForRefusal(task: AnyTask, { code, syscall = "", fstype }: FailureData): string | undefined {
	if (code === "ENOENT") return withoutProc(task);
	if (threadId(task) !== undefined) return hintForCallOfThread(task, syscall);
	if (!needSysAdmin.includes(syscall)) return undefined;
	if (!stateOf(task).kinds.has("user")) return noNames(task, syscall);
	const missing = missingInOwn(task, capabilities.sysAdmin, "CAP_SYS_ADMIN");
	const reason = missing ?? foreignNamespace(task, syscall) ?? tooRevealing(task, syscall, fstype?.toString());
	// AppArmor takes no capability from the set that the kernel shows. So AppArmor is the reason only where no other is known.
	return reason ?? restricted(task);
}

/**
 * Returns what stands in the way of a call on a network device, which the kernel has refused with EPERM. Not every ioctl(2) is about
 * the network, so that the function that makes the call asks for this hint.
 *
 * @param task - The task that has made the call.
 */
export function hintForNetwork(task: AnyTask): string | undefined {
	if (threadId(task) !== undefined) return hintForNetworkOfThread(task);
	if (!stateOf(task).kinds.has("user")) return undefined;
	const foreign = ownNamespaces(task).has("net")
		? undefined
		: 'the network namespace of the task belongs to another user namespace than the task\'s own: clone the task with ["user", "net"], or call unshare(["net"]) first';
	return missingInOwn(task, capabilities.netAdmin, "CAP_NET_ADMIN") ?? restricted(task) ?? foreign;
}

/** Returns the hint about a capability that a task in a user namespace of its own lacks. */
function missingInOwn(task: AnyTask, capability: number, name: string): string | undefined {
	const found = effectiveOf(task);
	if (!found || hasCapability(found.effective, capability)) return undefined;
	return `${name} is not effective in this task (CapEff: ${found.effectiveText}), although it has a user namespace of its own: make the call before the task changes its ids or gives up capabilities, or clone the task with idMap: "root"`;
}

/** Returns the hint about a `/proc` on which there is no procfs with this process. The tasks that have mounts of their own may see another. */
function withoutProc(task: AnyTask): string | undefined {
	const { existsSync, readdirSync } = process.getBuiltinModule("node:fs");
	if (stateOf(task).kinds.has("mnt") || existsSync("/proc/self")) return undefined;
	if (existsSync("/proc/version")) return say("no-proc", { found: "another pid namespace" });
	const isEmpty = !existsSync("/proc") || readdirSync("/proc").length === 0;
	return say("no-proc", { found: isEmpty ? "nothing" : "another file system" });
}

/** Returns the hint about a host or domain name that a task without a user namespace of its own may not set. */
function noNames(task: AnyTask, syscall: string): string | undefined {
	const found = effectiveOf(task);
	if (!found || !nameCalls.test(syscall)) return undefined;
	const { effective, effectiveText } = found;
	const reason = hasCapability(effective, capabilities.sysAdmin)
		? "the UTS namespace belongs to another user namespace than the one of this process"
		: `CAP_SYS_ADMIN over the UTS namespace is not effective in this process (CapEff: ${effectiveText})`;
	return `${reason}: make the call in a task that has its own, Task.clone({ namespaces: ["user", "uts"], idMap: "root" })`;
}

/** Returns the hint about a UTS namespace that does not belong to the task's user namespace. */
function foreignNamespace(task: AnyTask, syscall: string): string | undefined {
	if (!nameCalls.test(syscall) || ownNamespaces(task).has("uts")) return undefined;
	return 'the UTS namespace of the task belongs to another user namespace than the task\'s own: clone the task with ["user", "uts"], or call unshare(["uts"]) first';
}

/** Returns the hint about a mount of proc or sysfs, which would show what something is mounted over. */
function tooRevealing(task: AnyTask, syscall: string, fstype: string | undefined): string | undefined {
	if (syscall !== "mount" && syscall !== "fsmount") return undefined;
	if (fstype !== "proc" && fstype !== "sysfs") return undefined;
	// Without a namespace of its own the task is refused for another reason.
	if (!ownNamespaces(task).has(fstype === "proc" ? "pid" : "net")) return undefined;
	const mounts = mountsOf(task);
	if (!mounts) return undefined;
	const covers = coversBelow(mounts, fstype);
	const seen = mounts.filter((mount) => mount.fstype === fstype && mount.root === "/");
	if (covers.length === 0 && seen.length > 0 && !seen.some(({ readOnly }) => readOnly)) return undefined;
	return say("masked-proc", { fstype, covers, readOnly: seen.some(({ readOnly }) => readOnly) });
}
