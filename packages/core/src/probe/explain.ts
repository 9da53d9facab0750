// Which obstacles explain what was refused. The answers exist before: this file finds only the reasons.
import { capabilities, type NamespaceKind } from "../addon/flags.generated.ts";
import { namespaceLimitName } from "../obstacles/ask.ts";
import type { Helper, HelperName } from "../obstacles/find-helper.ts";
import { coversBelow, isUnreached, unmappedIn } from "../obstacles/look.ts";
import {
	type Obstacle,
	type ObstacleName,
	type ObstacleValues,
	obstacle,
	obstacleNames,
} from "../obstacles/obstacle.ts";
import { hasCapability } from "../process/capability-bits.ts";
import { type AllNamespaces, type Answer, type Feature, since } from "./features.ts";
import type { Facts } from "./host.ts";
import { insideFeatures, kindsOf } from "./inside.ts";
import { kinds } from "./namespaces.ts";

/** The answers, and facts about the attempts. */
export interface Tried {
	readonly namespaces: AllNamespaces;
	readonly features: Record<Feature, Answer>;
	readonly helpers: Record<HelperName, Helper>;
	/** The files without a line for the user, and the user. `undefined`: the process has the lines, or needs none. */
	readonly withoutIds: ObstacleValues["no-subordinate-ids"] | undefined;
	/** The message of the error, if no task could be cloned. */
	readonly taskError?: string;
}

/** Collects the obstacles of one probe, and why each of them was blamed. */
class Explanation {
	readonly #tried: Tried;
	readonly #facts: Facts;
	readonly #found = new Map<string, Obstacle>();

	constructor(tried: Tried, facts: Facts) {
		this.#tried = tried;
		this.#facts = facts;
	}

	/** Returns the obstacles, most important first. */
	get obstacles(): Obstacle[] {
		const rank = ({ name }: Obstacle) => obstacleNames.indexOf(name);
		const isFirst = (each: Obstacle) => each === this.#found.get("task");
		return [...this.#found.values()].sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)) || rank(a) - rank(b));
	}

	/**
	 * Notes an obstacle, and returns its name.
	 *
	 * @param certain - False where the obstacle is inferred. Default: as the table says.
	 * @param key - Tells obstacles of one name apart.
	 */
	#note<Name extends ObstacleName>(
		name: Name,
		values: ObstacleValues[Name],
		{ certain, key = name }: { certain?: boolean; key?: string } = {},
	): ObstacleName {
		const container = this.#facts.host.container.length > 0;
		if (!this.#found.has(key)) {
			this.#found.set(key, obstacle(name, values, { container, ...(certain !== undefined && { certain }) }));
		}
		return name;
	}

	/** Explains everything that does not work. */
	explain(): void {
		const { features, namespaces } = this.#tried;
		const { proc } = this.#facts;
		if (proc !== "ours") this.#note("no-proc", { found: proc });
		if (!features.task.works) this.#explainTask();
		this.#explainNamespaces();
		this.#explainInside();
		this.#explainUntried();
		this.#explainIds();
		this.#explainKernel();
		this.#explainRest();
		// An answer that could not be had gets the reasons of the attempt before it.
		const before = features.task.works ? namespaces.user.direct : features.task;
		const mapped = namespaces.user.withUser.because;
		const withoutProc: ObstacleName[] | undefined = proc === "ours" ? undefined : ["no-proc"];
		for (const answer of this.#all()) {
			const because = before.because ?? mapped ?? withoutProc;
			if (answer.works === undefined && because) answer.because ??= [...because];
		}
	}

	/** Explains the features that could not be tried, because one of their namespaces cannot be made. */
	#explainUntried(): void {
		const { features, namespaces } = this.#tried;
		for (const feature of insideFeatures) {
			const answer = features[feature];
			const because = kindsOf(feature).flatMap((kind) => namespaces[kind].withUser.because ?? []);
			const overlay = feature === "overlay" ? (features.mount.because ?? []) : [];
			const all = [...new Set([...because, ...overlay])];
			if (answer.works === undefined && all.length > 0) answer.because = all;
		}
	}

	*#all(): Iterable<Answer> {
		yield* Object.values(this.#tried.features);
		for (const { direct, withUser } of Object.values(this.#tried.namespaces)) yield* [direct, withUser];
	}

	#explainTask(): void {
		const { task } = this.#tried.features;
		const { taskError: prevents } = this.#tried;
		const values = { syscall: task.syscall ?? "clone", ...(task.code && { code: task.code }) };
		task.because = [
			task.code === "SIGSYS" || task.code === "ENOSYS"
				? this.#seccomp(task)
				: this.#note("unknown", { ...values, ...(prevents && { prevents }) }, { key: "task" }),
		];
	}

	#explainNamespaces(): void {
		const { namespaces } = this.#tried;
		const { user } = namespaces;
		if (user.direct.works === false) user.direct.because = this.#whyNoUser(user.direct);
		const refused: NamespaceKind[] = [];
		for (const kind of kinds.filter((kind) => kind !== "user")) {
			const { direct, withUser } = namespaces[kind];
			if (direct.works === false) {
				if (direct.code === "EPERM" && !this.#has(capabilities.sysAdmin)) refused.push(kind);
				else direct.because = [this.#whyNotKind(kind, direct)];
			}
			if (withUser.works !== false) continue;
			withUser.because = user.direct.works ? [this.#whyNotKind(kind, withUser)] : [...(user.direct.because ?? [])];
		}
		if (refused.length > 0) {
			const because = this.#noCapability(refused);
			for (const kind of refused) namespaces[kind].direct.because = because;
		}
		if (user.withUser.works !== false) return;
		user.withUser.because = user.direct.works ? [this.#whyNoMap(user.withUser)] : [...(user.direct.because ?? [])];
	}

	#has(capability: number): boolean {
		return hasCapability(this.#facts.capabilities, capability);
	}

	/** Returns why this process makes no namespaces without a user namespace. */
	#noCapability(refused: readonly NamespaceKind[]): ObstacleName[] {
		const effective = this.#facts.status?.effectiveText;
		const because = [
			this.#note("no-capability", {
				capability: "CAP_SYS_ADMIN",
				kinds: refused,
				...(effective && { effective }),
				withoutUser: this.#tried.namespaces.user.direct.works === false,
			}),
		];
		const bounding = this.#missingOfBounding([capabilities.sysAdmin]);
		// An ordinary user expects no privilege. Root does, and does not get it.
		if (this.#facts.uid === 0 && bounding.length > 0) because.push(this.#boundingSet());
		return because;
	}

	#missingOfBounding(numbers: readonly number[]): string[] {
		const set = this.#facts.status?.boundingText;
		if (set === undefined) return [];
		const names: Record<number, string> = {
			[capabilities.sysAdmin]: "CAP_SYS_ADMIN",
			[capabilities.setuid]: "CAP_SETUID",
			[capabilities.setgid]: "CAP_SETGID",
		};
		return numbers.filter((bit) => !hasCapability(BigInt(`0x${set}`), bit)).map((bit) => names[bit] ?? `${bit}`);
	}

	#boundingSet(): ObstacleName {
		const missing = this.#missingOfBounding([capabilities.sysAdmin, capabilities.setuid, capabilities.setgid]);
		const bounding = this.#facts.status?.boundingText;
		return this.#note("bounding-set", { missing, ...(bounding && { bounding }) });
	}

	/** Returns why no user namespace can be made. */
	#whyNoUser(answer: Answer): ObstacleName[] {
		const { host, uidMap, gidMap, proc } = this.#facts;
		const { code } = answer;
		if (code === "ENOSPC" || code === "EUSERS") return [this.#limit("user")];
		if (code !== "EPERM") return [this.#notKnown(answer, "user namespaces")];
		const found: ObstacleName[] = [];
		if (host.chroot) found.push(this.#note("chroot", {}));
		const unmapped = proc === "ours" ? unmappedIn(this.#facts, uidMap, gidMap) : [];
		if (unmapped.length > 0) found.push(this.#note("unmapped-ids", { ids: unmapped, uidMap, gidMap }));
		const sysctl = host.sysctls["kernel.unprivileged_userns_clone"];
		if (sysctl === "0" && !this.#has(capabilities.sysAdmin))
			found.push(this.#note("unprivileged-userns-clone", { value: sysctl }));
		if (found.length === 0 && this.#isRestricted()) found.push(this.#apparmor(false));
		if (found.length === 0 && host.seccomp === "off" && host.chroot === undefined) {
			found.push(this.#note("chroot", { inferred: true }));
		}
		if (found.length === 0) found.push(this.#refusedByPolicy(answer, ["user"]));
		return found;
	}

	/** True when AppArmor takes the capabilities from new user namespaces of ordinary programs. */
	#isRestricted(): boolean {
		const value = this.#facts.host.sysctls["kernel.apparmor_restrict_unprivileged_userns"];
		return value !== undefined && value !== "0" && !this.#has(capabilities.sysAdmin);
	}

	#apparmor(certain: boolean): ObstacleName {
		const { sysctls, label } = this.#facts.host;
		const value = sysctls["kernel.apparmor_restrict_unprivileged_userns"] ?? "1";
		return this.#note("apparmor-userns", { value, ...(label && { label }) }, { certain });
	}

	/** Returns the filter if there is one, because everything else was ruled out. */
	#refusedByPolicy({ code, syscall: named }: Answer, refusedKinds: readonly string[] = []): ObstacleName {
		// Task.clone makes clone3(2) for a time namespace, and clone(2) for the others.
		const isOlder = named === "clone3" && refusedKinds.length > 0 && !refusedKinds.includes("time");
		const syscall = isOlder ? "clone" : named;
		const values = { ...(code && { code }), ...(syscall && { syscall }) };
		if (this.#facts.host.seccomp === "filter") return this.#seccomp({ works: false, ...values }, refusedKinds);
		return this.#note("unknown", values, { key: `unknown ${syscall} ${code}` });
	}

	#seccomp({ code, syscall }: Answer, refusedKinds: readonly string[] = []): ObstacleName {
		const { seccompFilters } = this.#facts.host;
		return this.#note(
			"seccomp",
			{
				...(seccompFilters !== undefined && { filters: `${seccompFilters}` }),
				...(syscall && { call: `${syscall}(2)` }),
				...(code && { code }),
				kinds: refusedKinds,
			},
			code === "SIGSYS" ? { certain: true } : {},
		);
	}

	/** Returns the obstacle of a call that the kernel may not know. */
	#notKnown(answer: Answer, what: string): ObstacleName {
		if (answer.code === "SIGSYS") return this.#seccomp(answer);
		if (answer.code === "ENOSYS" && this.#facts.host.seccomp === "filter") return this.#seccomp(answer);
		const { kernel } = this.#facts;
		return this.#note("not-in-kernel", { calls: [[what]], kernel }, { key: `not-in-kernel ${what}` });
	}

	/** Returns which limit of namespaces is reached. */
	#limit(kind: NamespaceKind): ObstacleName {
		const { host, uidMap } = this.#facts;
		const limit = host.limits[kind];
		const file = `/proc/sys/${namespaceLimitName(kind)}`;
		const nests = kind === "user" || kind === "pid";
		const isSpare = limit === undefined || isUnreached(limit);
		const isInitial = /^\s*0\s+0\s+4294967295\s*$/.test(uidMap);
		const isKnown = limit === 0 || isInitial;
		if (nests && !isKnown && isSpare) {
			const values = { kind, ...(limit !== undefined && { limit: `${limit}` }) };
			return this.#note("nesting", values, { certain: false, key: `nesting ${kind}` });
		}
		const above = !isKnown && isSpare;
		const writable = !isInitial && this.#has(capabilities.sysResource);
		// In the initial user namespace nothing is nested, and nothing else has a limit.
		const values = { kind, file, limit: `${limit}`, above, writable };
		return this.#note("userns-limit", values, { certain: isKnown, key: `userns-limit ${kind}` });
	}

	/** Returns why namespaces of a kind cannot be made, although capabilities or a user namespace are there. */
	#whyNotKind(kind: NamespaceKind, answer: Answer): ObstacleName {
		const { code } = answer;
		if (code === "ENOSPC" || code === "EUSERS") return this.#limit(kind);
		if (code === "EPERM") return this.#isRestricted() ? this.#apparmor(true) : this.#refusedByPolicy(answer, [kind]);
		return this.#notKnown(answer, `${kind} namespaces`);
	}

	#whyNoMap(answer: Answer): ObstacleName {
		if (this.#facts.proc !== "ours") return this.#note("no-proc", { found: this.#facts.proc });
		if (answer.code === "ENOSPC" || answer.code === "EUSERS") return this.#limit("user");
		if (answer.code === "EPERM" && this.#isRestricted()) return this.#apparmor(true);
		return this.#refusedByPolicy(answer);
	}

	#explainInside(): void {
		const { features, namespaces } = this.#tried;
		if (!namespaces.user.direct.works) return;
		for (const feature of ["userCapabilities", "mount", "overlay", "loopback", "mountApi"] as const) {
			const answer = features[feature];
			if (answer.works !== false) continue;
			if (answer.code === "EPERM") answer.because = [this.#whyNoPower(answer)];
			else if (answer.code !== "ENODEV" && answer.code !== "ENOSYS") answer.because = [this.#refusedByPolicy(answer)];
		}
		for (const [feature, fstype, path] of [
			["proc", "proc", "/proc"],
			["sysfs", "sysfs", "/sys"],
		] as const) {
			const answer = features[feature];
			if (answer.works !== false) continue;
			if (answer.code !== "EPERM") answer.because = [this.#notKnown(answer, fstype)];
			else if (!features.mount.works) answer.because = [this.#whyNoPower(answer)];
			else answer.because = this.#whyTooRevealing(fstype, path, answer.value === "ro");
		}
	}

	#whyNoPower(answer: Answer): ObstacleName {
		return this.#isRestricted() ? this.#apparmor(true) : this.#refusedByPolicy(answer);
	}

	/** Returns what hides parts of a file system, so that a new one would show more than the one in sight. */
	#whyTooRevealing(fstype: "proc" | "sysfs", path: string, readOnlyWorks: boolean): ObstacleName[] {
		const { mounts } = this.#facts;
		const shown = mounts.filter((mount) => mount.fstype === fstype && mount.at === path && mount.root === "/").at(-1);
		if (fstype === "sysfs" && readOnlyWorks) return [this.#note("read-only-sys", { path })];
		const covers = coversBelow(mounts, fstype);
		if (fstype === "proc" && !shown) {
			const found = this.#facts.proc === "ours" ? "nothing" : this.#facts.proc;
			return [this.#note("no-proc", { found })];
		}
		const values = { fstype, covers, readOnly: shown?.readOnly ?? false };
		return [this.#note("masked-proc", values, { key: `masked-proc ${fstype}`, certain: covers.length > 0 })];
	}

	#explainIds(): void {
		const { features, helpers, withoutIds } = this.#tried;
		for (const name of ["newuidmap", "newgidmap"] as const) {
			const { problem, searched } = helpers[name];
			const answer = features[name];
			if (answer.works) continue;
			answer.because = [
				problem
					? this.#note("helper-not-setuid", problem, { key: `helper-not-setuid ${name}` })
					: this.#note("helper-missing", { helper: name, path: searched }, { key: `helper-missing ${name}` }),
			];
		}
		if (withoutIds) this.#note("no-subordinate-ids", withoutIds);
		const ids = features.subordinateIds;
		// A process that may map every id needs no subordinate ones: nothing is in the way.
		if (ids.works === false) ids.because = withoutIds ? ["no-subordinate-ids"] : [];
		const ranges = features.idMapRanges;
		if (ranges.works) return;
		const because = new Set<ObstacleName>([
			...(this.#facts.host.noNewPrivs && ranges.works === false ? [this.#note("no-new-privs", {})] : []),
			...(this.#missingOfBounding([capabilities.setuid, capabilities.setgid]).length > 0 ? [this.#boundingSet()] : []),
			...(features.newuidmap.because ?? []),
			...(features.newgidmap.because ?? []),
			...(ids.because ?? []),
			...(this.#tried.namespaces.user.withUser.because ?? []),
		]);
		if (because.size === 0 && ranges.works === false) because.add(this.#refusedByPolicy(ranges));
		if (because.size > 0) ranges.because = [...because];
	}

	/** Explains the features that the kernel may not have. */
	#explainKernel(): void {
		const { host, kernel } = this.#facts;
		const filtered = host.seccomp === "filter";
		const missing: [string, string][] = [];
		for (const [feature, [call, version]] of Object.entries(since)) {
			const answer = this.#tried.features[feature as Feature];
			if (answer.works !== false || answer.because) continue;
			if (/^SIG|^ERR_|^ETIMEDOUT$|^EPERM$/.test(answer.code ?? "")) answer.because = [this.#refusedByPolicy(answer)];
			else if (feature === "clone3" && filtered && this.#tried.features.task.works) {
				answer.because = [this.#note("hidden-clone3", {})];
			} else {
				missing.push([call, version]);
				answer.because = ["not-in-kernel"];
			}
		}
		if (missing.length > 0) this.#note("not-in-kernel", { calls: missing, kernel, filtered });
	}

	#explainRest(): void {
		const { memfdExec, thread, cgroup } = this.#tried.features;
		const { host, cgroup: place, uid } = this.#facts;
		if (memfdExec.works === false) {
			const value = host.sysctls["vm.memfd_noexec"];
			const isForbidden = value !== undefined && value !== "0" && memfdExec.code === "EACCES";
			memfdExec.because = [isForbidden ? this.#note("memfd-noexec", { value }) : this.#refusedByPolicy(memfdExec)];
		}
		if (thread.works === false) {
			const { direct } = this.#tried.namespaces.net;
			thread.because = direct.because ? [...direct.because] : [this.#refusedByPolicy(thread)];
		}
		const isV1 = place.version === 1;
		const unified = place.folder && { unified: place.folder };
		const v1 = () => this.#note("cgroup-v1", { controllers: isV1 ? place.controllers : [], ...unified });
		if (isV1) v1();
		if (cgroup.works !== false) return;
		if (place.folder === undefined) cgroup.because = [v1()];
		else if (cgroup.code === "ENOSYS" && this.#tried.features.clone3.because) {
			cgroup.because = [...this.#tried.features.clone3.because];
		} else {
			const code = cgroup.code && { code: cgroup.code };
			const isRefused = ["EACCES", "EPERM", "EROFS", "ENOENT"].includes(cgroup.code ?? "");
			cgroup.because = [
				isRefused
					? this.#note("cgroup-not-delegated", { path: place.folder, uid, ...code })
					: this.#refusedByPolicy(cgroup),
			];
		}
	}
}

/**
 * Returns the obstacles that explain what does not work, most important first, and adds to each answer what is in its way.
 *
 * @param tried - The answers, which are completed.
 * @param facts - The facts about the machine.
 */
export function explain(tried: Tried, facts: Facts): Obstacle[] {
	const explanation = new Explanation(tried, facts);
	explanation.explain();
	return explanation.obstacles;
}
