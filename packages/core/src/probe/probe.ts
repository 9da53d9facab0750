import { throwIfAborted } from "../abortable.ts";
import type { NamespaceKind } from "../addon/flags.generated.ts";
import { abortSignal, options as checkOptions } from "../arguments.ts";
import { findHelper, type Helper } from "../obstacles/find-helper.ts";
import type { ObstacleValues } from "../obstacles/obstacle.ts";
import { tryCalls, tryPidfdExit } from "./calls.ts";
import { tryCgroup } from "./cgroup.ts";
import { explain } from "./explain.ts";
import { type Answer, features, type Probe } from "./features.ts";
import { type Facts, findChroot, readFacts } from "./host.ts";
import { tryIds } from "./ids.ts";
import { type Inner, tryInside } from "./inside.ts";
import { together, tryDirect, tryWithUser } from "./namespaces.ts";
import { reportOf } from "./report.ts";
import { Tasks, Worker } from "./tasks.ts";
import { tryThread } from "./thread.ts";

/**
 * Finds out what namespaces, mounts and tasks this process may make, and what stands in the way of the others.
 *
 * Each answer comes from the call itself, in throw-away tasks, which are gone when the promise resolves or rejects. The tasks have
 * namespaces of their own. Outside of these, the function makes and removes one folder in the cgroup v2 of this process, and
 * writes nothing else. The function needs no privilege, remembers nothing, and takes less than a tenth of a second.
 *
 * @param options - `signal`: ends all tasks when it is aborted. Default: none.
 * @returns The answers. `toString()` is the report for people.
 * @throws `ABORT_ERR` `options.signal` was aborted. `error.cause` is the reason of the signal.
 * @throws `TypeError` An option has the wrong type, or there is no such option.
 * @throws `ERR_NEARFAR_UNSUPPORTED_PLATFORM` There is no addon for this platform.
 * @example
 * ```ts
 * const found = await probe();
 * if (!found.features.mount.works) console.log(`${found}`);
 * for (const { name, fix } of found.obstacles) console.log(name, fix[0]);
 * ```
 * @see namespaces(7), user_namespaces(7)
 */
export async function probe(options?: { signal?: AbortSignal }): Promise<Probe> {
	const { signal } = checkOptions(options, ["signal"]);
	abortSignal(signal);
	throwIfAborted(signal);
	await null; // from here on no task and no batch is current
	const facts = readFacts();
	const tasks = new Tasks(signal);
	try {
		const tried = await tryAll(tasks, facts);
		throwIfAborted(signal);
		const obstacles = explain(tried, facts);
		const { kernel, uid, gid, capabilities, host } = facts;
		const { namespaces, features } = tried;
		const found = { kernel, arch: process.arch, uid, gid, capabilities, namespaces, features, host, obstacles };
		return { ...found, toString: () => reportOf(found) };
	} finally {
		await tasks.finish();
	}
}

/** What all attempts have found. */
type Tried = Parameters<typeof explain>[0];

async function tryAll(tasks: Tasks, facts: Facts): Promise<Tried> {
	const worker = new Worker(tasks);
	const task = await worker.start();
	const helpers = {
		newuidmap: findHelper("newuidmap", facts.mounts),
		newgidmap: findHelper("newgidmap", facts.mounts),
	};
	const untried: Answer = { works: undefined };
	const answers = Object.fromEntries(features.map((feature) => [feature, untried])) as Tried["features"];
	const known = { task, newuidmap: answerOf(helpers.newuidmap), newgidmap: answerOf(helpers.newgidmap) };
	if (!task.works) {
		const namespaces = together(new Map(), new Map(), untried);
		const all = copies({ ...answers, ...known });
		return {
			namespaces,
			features: all,
			helpers,
			withoutIds: undefined,
			...(worker.message && { taskError: worker.message }),
		};
	}
	const [calls, direct, thread, pidfdExit, atOnce] = await Promise.all([
		tryCalls(worker, facts.host.seccomp === "filter"),
		tryDirect(tasks),
		tryThread(tasks),
		tryPidfdExit(tasks),
		tryUserNamespaces(tasks, facts),
	]);
	await tasks.end();
	const isScarce = isFull(atOnce) && facts.host.limits.user !== 0;
	const { withUser, inner, ids, withoutIds } = isScarce ? await tryOneByOne(tasks, facts) : atOnce;
	facts.host.chroot = await findChroot(tasks, withUser.get("user") ?? untried);
	const cgroup = await tryCgroup(tasks, facts);
	return {
		namespaces: together(direct, withUser, inner.mapped),
		features: copies({ ...answers, ...known, ...calls, ...inner.answers, ...ids, thread, pidfdExit, cgroup }),
		helpers,
		withoutIds,
	};
}

/** Returns whether a helper is there and gets its privilege. */
function answerOf({ path, problem }: Helper): Answer {
	if (path === undefined) return { works: false, code: "ENOENT", syscall: "execve" };
	return { works: problem === undefined, value: path };
}

/** Returns answers of which no two are one object, because each gets its own reasons. */
function copies(answers: Tried["features"]): Tried["features"] {
	return Object.fromEntries(
		Object.entries(answers).map(([name, answer]) => [name, { ...answer }]),
	) as Tried["features"];
}

/** The answers of attempts with new user namespaces. */
interface UserNamespaces {
	readonly withUser: Map<NamespaceKind, Answer>;
	readonly inner: Inner;
	readonly ids: Pick<Tried["features"], "idMapRanges" | "subordinateIds">;
	readonly withoutIds: ObstacleValues["no-subordinate-ids"] | undefined;
}

/** Tries what needs new user namespaces, at the same time. */
async function tryUserNamespaces(tasks: Tasks, facts: Facts): Promise<UserNamespaces> {
	const [withUser, inner, ids] = await Promise.all([tryWithUser(tasks), tryInside(tasks), tryIds(tasks, facts)]);
	return { withUser, inner, ...ids };
}

/** Makes the same attempts one after the other, because few user namespaces are allowed. */
async function tryOneByOne(tasks: Tasks, facts: Facts): Promise<UserNamespaces> {
	tasks.beginToWait();
	return {
		withUser: await tryWithUser(tasks),
		inner: await tryInside(tasks),
		...(await tryIds(tasks, facts)),
	};
}

/** True when an attempt has found a limit on user namespaces reached, which other attempts may have used up. */
function isFull({ withUser, inner, ids }: UserNamespaces): boolean {
	return [...withUser.values(), inner.mapped, ids.idMapRanges].some(({ code }) => code === "ENOSPC");
}
