import { capabilities, type NamespaceKind } from "../addon/flags.generated.ts";
import { hasCapability } from "../process/capability-bits.ts";
import type { SyscallError } from "../syscall-error.ts";
import type { AnyTask } from "../target/target.ts";
import { stateOf, threadId } from "../task/state.ts";
import { isInitialUserNamespace, namespaceLimit, sysctlOf, userNesting } from "./ask.ts";
import {
	effectiveOf,
	idMapOf,
	isRootMount,
	isUnreached,
	readOfTask,
	type Status,
	statusOf,
	unmappedIds,
} from "./look.ts";
import { say } from "./say.ts";
import { hintForThread } from "./thread-hint.ts";

/** A call that makes namespaces. */
export interface NamespaceCall {
	readonly kinds: readonly NamespaceKind[];
	/** The options of `Task.clone` that need clone3(2), by name. */
	readonly options?: readonly string[];
}

type Refusal = Pick<SyscallError, "code" | "syscall">;

const DEEPEST = 32; // levels of user or pid namespaces below the initial one

/**
 * Returns what stands in the way of new namespaces, and what to do about it.
 *
 * @param task - The task that was refused. For a clone by the zygote, this process.
 * @param refusal - The error of clone3(2), clone(2) or unshare(2).
 * @param call - The namespaces that the call was to make.
 */
export function hintForNamespaces(task: AnyTask, refusal: Refusal, call: NamespaceCall): string | undefined {
	const { kinds, options = [] } = call;
	switch (refusal.code) {
		case "EPERM":
			return kinds.includes("user") ? noUserNamespace(task, refusal, call) : noPrivilege(task, refusal, call);
		case "ENOSPC":
		case "EUSERS":
			return reachedLimit(task, kinds);
		case "ENOMEM":
			return choosesPids(task) && refusal.syscall !== "unshare" ? deadNamespace : undefined;
		case "ENOSYS":
			return refusal.syscall === "clone3" && options.length > 0 ? say("hidden-clone3", { options }) : undefined;
		case "EINVAL":
			return refusal.syscall === "unshare" && kinds.includes("pid") && choosesPids(task) ? madeBefore : undefined;
		default:
			return undefined;
	}
}

const deadNamespace =
	"process 1 of the pid namespace that children of this task get has ended, and the kernel clones nothing into such a namespace: memory is not short; clone another task, and end process 1 last";
const madeBefore =
	'a task makes a pid namespace for its children once, and this one has made or entered one before: clone a task from this one, which is inside, and call unshare(["pid"]) there';

/** True when children of a task get another pid namespace than its own, because of unshare(2) or setns(2). */
function choosesPids(task: AnyTask): boolean {
	const { childPids, pids } = stateOf(task);
	return childPids() !== pids();
}

/**
 * Returns what stands in the way of a thread of this process that could not begin.
 *
 * @param near - This process.
 * @param refusal - The error of the thread's unshare(2) or setns(2).
 * @param kinds - The namespaces that the thread was to make or enter.
 */
export function hintForNewThread(near: AnyTask, refusal: Refusal, kinds: readonly NamespaceKind[]): string | undefined {
	const missing = refusal.code === "EPERM" ? hintForThread(near, kinds) : undefined;
	return missing ?? hintForNamespaces(near, refusal, { kinds });
}

function noUserNamespace(task: AnyTask, { syscall, code }: Refusal, { kinds, options }: NamespaceCall) {
	const status = statusOf(task);
	if (!status) return undefined;
	const known = neverUser(task, status);
	if (known !== undefined) return known;
	const value = sysctlOf(task, "kernel/unprivileged_userns_clone");
	const isInitial = !stateOf(task).kinds.has("user") && isInitialUserNamespace();
	const isPrivileged = isInitial && hasCapability(status.effective, capabilities.sysAdmin);
	if (value === "0" && !isPrivileged) return say("unprivileged-userns-clone", { value });
	const reason = lacksPid(status, options) ?? filteredBy(status, madeCall(syscall, options), code, kinds);
	return reason ?? restricted(task) ?? say("chroot", { inferred: true });
}

/** Returns why a task cannot make a user namespace whatever its privilege is. */
function neverUser(task: AnyTask, status: Status): string | undefined {
	if (isRootMount(task) === false) return say("chroot", {});
	const ids = unmappedIds(task, status);
	return ids.length > 0 ? say("unmapped-ids", { ids, ...mapsOf(task) }) : undefined;
}

/** Returns the call that was made: Task.clone makes clone3(2) only for options that need it, and an error names clone3 always. */
function madeCall(syscall: string, options: readonly string[] = []): string {
	return syscall === "clone3" && options.length === 0 ? "clone" : syscall;
}

function mapsOf(task: AnyTask): { uidMap?: string; gidMap?: string } {
	const [uidMap, gidMap] = [idMapOf(task, "uids"), idMapOf(task, "gids")];
	return { ...(uidMap !== undefined && { uidMap }), ...(gidMap !== undefined && { gidMap }) };
}

function noPrivilege(task: AnyTask, { syscall, code }: Refusal, { kinds, options }: NamespaceCall) {
	const found = effectiveOf(task);
	if (!found) return undefined;
	const { effective, effectiveText } = found;
	const status = statusOf(task);
	if (kinds.length > 0 && !hasCapability(effective, capabilities.sysAdmin)) {
		// A thread of Node cannot have a user namespace of its own.
		if (threadId(task) !== undefined) return hintForThread(task, kinds);
		const known = status && neverUser(task, status);
		const values = { capability: "CAP_SYS_ADMIN", effective: effectiveText, kinds };
		if (known === undefined) return say("no-capability", values);
		return `CAP_SYS_ADMIN is not effective (CapEff: ${effectiveText}), which the namespaces ${kinds.join(", ")} need; a new user namespace is refused as well: ${known}`;
	}
	if (!status) return undefined;
	const own = stateOf(task).kinds.has("user") ? restricted(task) : undefined;
	return own ?? lacksPid(status, options) ?? filteredBy(status, madeCall(syscall, options), code, kinds);
}

/** Returns the hint about AppArmor, which gives a user namespace of an ordinary user no capabilities. */
export function restricted(task: AnyTask): string | undefined {
	const value = sysctlOf(task, "kernel/apparmor_restrict_unprivileged_userns");
	if (value === undefined || value === "0") return undefined;
	const label = readOfTask(task, "attr/current")?.trim();
	return say("apparmor-userns", { value, ...(label && { label }) });
}

function lacksPid({ effective, effectiveText }: Status, options: readonly string[] = []): string | undefined {
	if (!options.includes("setTid")) return undefined;
	if (hasCapability(effective, capabilities.checkpointRestore) || hasCapability(effective, capabilities.sysAdmin))
		return undefined;
	const prevents = "setTid in a pid namespace that exists already";
	return say("no-capability", { capability: "CAP_CHECKPOINT_RESTORE", effective: effectiveText, prevents });
}

function filteredBy(status: Status, call: string, code: string, kinds: readonly string[]): string | undefined {
	if (status.seccomp !== 2) return undefined;
	const { filters } = status;
	return say("seccomp", { call, code, kinds, ...(filters !== undefined && { filters: `${filters}` }) });
}

function reachedLimit(task: AnyTask, kinds: readonly NamespaceKind[]): string | undefined {
	const limits = kinds.flatMap((kind) => {
		const found = namespaceLimit(task, kind);
		return found ? [{ kind, ...found }] : [];
	});
	const forbidden = limits.find(({ limit }) => limit === "0");
	const isInitial = !stateOf(task).kinds.has("user") && isInitialUserNamespace();
	const writable = !isInitial && hasCapability(effectiveOf(task)?.effective ?? 0n, capabilities.sysResource);
	if (forbidden) return say("userns-limit", { ...forbidden, writable });
	if (kinds.includes("user") && (userNesting(task) ?? 0) >= DEEPEST) return say("nesting", { kind: "user" });
	if (kinds.includes("pid") && pidNesting(task) >= DEEPEST) return say("nesting", { kind: "pid" });
	// The limits of the user namespaces above count too, and no file says how many namespaces there are: the smallest limit is the likeliest.
	const [smallest] = limits.sort((a, b) => Number(a.limit) - Number(b.limit));
	if (!smallest) return undefined;
	if (isInitial || !isUnreached(Number(smallest.limit))) return say("userns-limit", { ...smallest, writable });
	const nested = kinds.find((kind) => kind === "user") ?? kinds.find((kind) => kind === "pid");
	const nestedLimit = limits.find(({ kind }) => kind === nested)?.limit;
	// Where this process is in the initial user namespace, every level was counted above.
	if (nested && nestedLimit && !isInitialUserNamespace()) return say("nesting", { kind: nested, limit: nestedLimit });
	return say("userns-limit", { ...smallest, above: true });
}

/** Returns how many pid namespaces lie between the one of `/proc` and the one of a task. */
function pidNesting(task: AnyTask): number {
	const pids = /^NSpid:\t(.+)$/m.exec(readOfTask(task, "status") ?? "")?.[1];
	return pids === undefined ? 0 : pids.split("\t").length - 1;
}
