import { NearfarError, openat2, probe, SyscallError, type Task } from "@nearfar/core";
import { installFilter } from "@nearfar/seccomp";
import { rootIds } from "./build/ids.ts";
import { checkSandbox } from "./check.ts";
import { SandboxError } from "./errors.ts";
import { defaultFilter } from "./filter.ts";
import { lookForGroups } from "./host/groups.ts";
import { itemOfStep, itemsOf, type ReportItem } from "./host/items.ts";
import { landlockItem } from "./host/landlock.ts";
import { Lodging } from "./lodging.ts";
import type { SandboxOptions } from "./options.ts";
import { ownFolder } from "./paths/given.ts";
import { isRoot } from "./plan.ts";

/** What a host can do for sandboxes. */
export interface Report {
	/** Whether everything works that a sandbox with namespaces needs. */
	readonly ok: boolean;
	/** One sentence about the whole. */
	readonly verdict: string;
	/** Everything that was tried, in the order in which a sandbox needs it. */
	readonly items: readonly ReportItem[];
}

/** The items without which a sandbox can be had all the same, if it does not ask for them. */
const optional: ReadonlySet<string> = new Set(["terminal", "working directory", "scratch"]);
/** The items that a sandbox of `isolation: "full"` without limits of a group has nothing to do with. */
const others: ReadonlySet<string> = new Set(["landlock", "cgroups"]);
const NOT_TRIED = "not tried, because no sandbox can be made";

/**
 * Finds out what sandboxes this host can have, and what stands in the way of the others.
 *
 * Each answer comes from an attempt: the probe of `@nearfar/core`, and throw-away sandboxes, one of which can write the working
 * directory. They are gone when the promise resolves, and leave nothing.
 *
 * The items are `"namespaces"`, `"mounts"`, `"proc"`, `"loopback"`, as root `"ids"` (an id for the programs), `"devpts"`, `"terminal"`,
 * `"filter"` (the default filter of system calls), `"working directory"` (that it can be written from a sandbox), `"scratch"`, and
 * `"cgroups"` (a group for `limits.memory`, `swap` and `cpus`: what `Cgroup.find` and `Cgroup.viaSystemd` of `@nearfar/cgroup` answer). They
 * are of a sandbox with namespaces, and the verdict is about that one. `"landlock"` says whether this host can have `isolation: "landlock"`.
 *
 * @returns The report. A host that can do nothing has a report too.
 * @throws `Error` A defect of nearfar alone: whatever the host refuses is in the report.
 * @example
 * ```ts
 * const { ok, verdict, items } = await doctor();
 * console.log(verdict); // "This host can run sandboxes."
 * for (const { name, cause, hint } of ok ? [] : items) console.log(name, cause ?? "works", hint ?? "");
 * ```
 * @see namespaces(7), user_namespaces(7), no privilege
 */
export async function doctor(): Promise<Report> {
	const items = [...(await examine()), await tryLandlock()];
	const missing = items.filter(({ name, ok }) => !ok && !others.has(name));
	const verdict = verdictOn(missing);
	const isWeaker = items.some(({ name, ok }) => name === "landlock" && ok);
	const instead = isWeaker && verdict.includes("cannot") ? ' Weaker ones work: isolation: "landlock".' : "";
	return { ok: missing.length === 0, verdict: verdict + instead, items };
}

/** Says whether Landlock takes the place of namespaces here. */
async function tryLandlock(): Promise<ReportItem> {
	const { landlockAbi } = await import("@nearfar/landlock");
	return landlockItem(landlockAbi());
}

function verdictOn(missing: readonly ReportItem[]): string {
	if (missing.length === 0) return "This host can run sandboxes.";
	const names = missing.filter(({ cause }) => cause !== NOT_TRIED).map(({ name }) => name);
	const weaker = missing.every(({ name }) => optional.has(name));
	return weaker
		? `This host can run sandboxes, but not with: ${names.join(", ")}.`
		: `This host cannot run sandboxes: it lacks ${names.join(", ")}.`;
}

async function examine(): Promise<ReportItem[]> {
	let items: ReportItem[];
	try {
		items = itemsOf(await probe());
	} catch (error) {
		return [refused("addon", error)];
	}
	if (isRoot()) items.push(await attempt("ids", rootIds));
	const basis = await attempt("mounts", async () => {
		items.push(...(await tryInside()));
	});
	// The attempt at a sandbox counts more than the probe, which on a slow machine gives up.
	if (basis.ok) items = items.map((item) => (isPart(item) ? { name: item.name, ok: true } : item));
	else replaceOrAdd(items, basis);
	for (const name of ["devpts", "terminal", "filter"]) {
		if (!items.some((item) => item.name === name)) items.push({ name, ok: false, cause: NOT_TRIED });
	}
	const folder = ownFolder();
	for (const [name, option] of [
		["working directory", "write"],
		["scratch", "scratch"],
	] as const) {
		if (!basis.ok) items.push({ name, ok: false, cause: NOT_TRIED });
		else if (folder === undefined)
			items.push({ name, ok: false, cause: "the working directory does not exist any more" });
		else items.push({ ...(await attempt(name, () => tryWith({ [option]: [folder] }))), name });
	}
	items.push(await lookForGroups());
	return items;
}

/** Returns whether no sandbox can be made without an item. */
function isPart({ name }: ReportItem): boolean {
	return ["namespaces", "mounts", "proc", "loopback", "ids"].includes(name);
}

/** The more that an attempt at a sandbox has found, the more it counts. */
function replaceOrAdd(items: ReportItem[], found: ReportItem): void {
	const index = items.findIndex(({ name }) => name === found.name);
	if (index < 0) items.push(found);
	else if (items[index]?.ok) items[index] = found;
}

/** Opens a sandbox that shows nothing of the host, and tries in it what only a command would need. */
async function tryInside(): Promise<ReportItem[]> {
	const items: ReportItem[] = [];
	await tryWith({}, async (task) => {
		items.push({ name: "devpts", ok: true });
		items.push(
			await attempt("terminal", () => task.run(() => openat2("/dev/ptmx", { flags: ["rdwr", "noctty"] }).close())),
		);
		items.push(await attempt("filter", () => task.run(() => installFilter(defaultFilter()))));
	});
	return items;
}

async function tryWith(options: SandboxOptions, use: (task: Task) => Promise<void> = async () => {}): Promise<void> {
	const lodging = await Lodging.begin(checkSandbox({ preset: "closed", read: [], ...options }));
	try {
		await use(await lodging.hold());
	} finally {
		await lodging.end();
	}
}

/** Makes an attempt, and returns what it has come to: an item of that name, or of the step at which a sandbox has failed. */
async function attempt(name: string, make: () => unknown): Promise<ReportItem> {
	try {
		await make();
		return { name, ok: true };
	} catch (error) {
		const step = error instanceof SandboxError ? error.step : undefined;
		return refused(step === undefined ? name : itemOfStep(step), error);
	}
}

function refused(name: string, error: unknown): ReportItem {
	if (!(error instanceof NearfarError || error instanceof SyscallError)) throw error;
	const { hint } = error as { hint?: string };
	const cause = hint === undefined ? error.message : error.message.replace(`. ${hint}`, "");
	return { name, ok: false, cause, ...(hint !== undefined && { hint }) };
}
