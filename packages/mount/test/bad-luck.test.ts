// The functions of one call, when a step fails, when the task dies, and in places that are not as usual.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, symlinkSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { type CloneOptions, Location, openat2, type Task } from "@nearfar/core";
import { bind, cgroup2, devpts, mount, moveMount, mqueue, overlay, proc, sysfs, tmpfs, umount } from "@nearfar/mount";
import { describe, expect, test } from "vitest";
import { has, type Need, needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid, killAt } from "../../../test/seccomp.ts";
import { ROUNDS, startExchanging } from "./exchanging.ts";
import { limitDescriptors, mountAt, mountsOf, ownMounts, sandbox, traces } from "./sandbox.ts";

const [SET_STRING, SET_FD, CMD_CREATE] = [1, 5, 6];
const errors = { EPERM: 1, ENOMEM: 12, ENOSYS: 38 } as const;

type Maker = (target: string) => void;
/** A step: its system call, the number of that, and where steps share a call the command that is the second argument. */
type Step = [syscall: string, nr: number, command?: number];

const makesFileSystem: Step[] = [
	["fsopen", 430],
	["fsconfig", 431, SET_STRING],
	["fsconfig", 431, CMD_CREATE],
	["fsmount", 432],
	["mount_setattr", 442],
	["move_mount", 429],
];
const makers: Record<string, { make: Maker; steps: Step[]; opens: string[] }> = {
	bind: {
		make: (target) => bind("/usr", target, { set: ["rdonly"] }),
		steps: [
			["open_tree", 428],
			["mount_setattr", 442],
			["move_mount", 429],
		],
		opens: ["open_tree"],
	},
	tmpfs: {
		make: (target) => tmpfs(target, { size: "64k", propagation: "shared" }),
		steps: makesFileSystem,
		opens: ["fsopen", "fsmount"],
	},
	devpts: {
		make: (target) => devpts(target, { propagation: "private" }),
		steps: makesFileSystem,
		opens: ["fsopen", "fsmount"],
	},
	proc: {
		make: (target) => proc(target, { propagation: "private", subset: "pid" }),
		steps: makesFileSystem,
		opens: ["fsopen", "fsmount"],
	},
	overlay: {
		make: (target) => overlay(target, { lower: ["/usr", "/etc"], propagation: "private" }),
		steps: [...makesFileSystem, ["fsconfig", 431, SET_FD]],
		opens: ["fsopen", "openat2"],
	},
	...Object.fromEntries(
		Object.entries({ sysfs, cgroup2, mqueue }).map(([name, make]) => [
			name,
			{
				make: (target: string) => make(target, { propagation: "slave" }),
				steps: makesFileSystem,
				opens: ["fsopen", "fsmount"],
			},
		]),
	),
};
/** Options for a task with every namespace that a file system may show. */
const ownViews: CloneOptions = {
	...ownMounts,
	namespaces: [...(ownMounts.namespaces ?? []), "pid", "net", "ipc", "cgroup"],
};

function needsOf(name: string): Need[] {
	if (name === "bind") return [];
	const whole = name === "proc" || name === "sysfs" ? (["a /proc and a /sys that nothing hides"] as const) : [];
	return [`the file system ${name}`, ...whole, ...(name === "overlay" ? (["Linux 6.13"] as const) : [])];
}

for (const [name, maker] of Object.entries(makers)) {
	needs(...needsOf(name)).describe(name, () => declareTests(maker));
}

function declareTests({ make, steps, opens }: { make: Maker; steps: Step[]; opens: string[] }): void {
	const inRunAndBatch = (task: Task, place: string) =>
		[() => task.run(() => make(place)), () => task.batch(() => make(place))] as const;

	test("EMFILE at every step leaves neither a mount nor a descriptor", async () => {
		await using box = await sandbox(ownViews);
		const place = box.folder("place");
		for (const way of [0, 1] as const) {
			await using task = await box.task.clone();
			const before = [traces(task), traces(box.task).mounts];
			const refusing = new Set<string>();
			for (let limit = 0; ; limit++) {
				limitDescriptors(task, limit);
				const error = (await reason(inRunAndBatch(task, place)[way])) as NodeJS.ErrnoException | undefined;
				limitDescriptors(task, 1024);
				if (error === undefined) break;
				expect(error).toMatchObject({ code: "EMFILE" });
				refusing.add(error.syscall ?? "");
				expect([traces(task), traces(box.task).mounts]).toEqual(before);
			}
			expect([...refusing]).toEqual(opens);
			expect(mountAt(box.task, place)).toBeDefined();
			task.run(() => umount(place));
			expect([traces(task), traces(box.task).mounts]).toEqual(before);
		}
	});

	test.each(steps)("an error of %s (%i, %s) surfaces, and leaves neither a mount nor a descriptor", async (...step) => {
		await using box = await sandbox(ownViews);
		const place = box.folder("place");
		const [syscall, nr, command] = step;
		for (const [code, errno] of Object.entries(errors)) {
			await using task = await box.task.clone();
			forbid(task, nr, errno, command, 1);
			const before = [traces(task), traces(box.task).mounts];
			for (const way of inRunAndBatch(task, place)) {
				expect(await reason(way)).toMatchObject({ code, syscall });
				expect([traces(task), traces(box.task).mounts]).toEqual(before);
			}
		}
	});

	test.each(steps)("a task that dies in %s (%i, %s) leaves no mount", async (...[, nr, command]) => {
		await using box = await sandbox(ownViews);
		const place = box.folder("place");
		const { mounts } = traces(box.task);
		for (const way of [0, 1] as const) {
			await using task = await box.task.clone();
			killAt(task, nr, command, 1);
			const error = await reason(inRunAndBatch(task, place)[way]);
			expect(error).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE", status: { signal: "SIGSYS" } });
			expect(traces(box.task).mounts).toBe(mounts);
		}
	});
}

needs("Linux 6.15").test("a copy whose id map is taken away is made by one call, and its error surfaces", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	await using task = await box.task.clone();
	forbid(task, 467, errors.ENOSYS); // open_tree_attr
	const before = [traces(task), traces(box.task).mounts];
	const refused = task.run(() => refusal(() => bind("/usr", place, { clear: ["idmap"] })));
	expect(refused).toMatchObject({ code: "ENOSYS", syscall: "open_tree_attr", hint: expect.any(String) });
	expect([traces(task), traces(box.task).mounts]).toEqual(before);
});

test("a task that another process kills while it mounts leaves a whole mount or none", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	const { mounts } = traces(box.task);
	for (let round = 0; round < 20; round++) {
		await using task = await box.task.clone();
		const count = `i=0; while [ $i -lt ${round * 400} ]; do i=$((i + 1)); done`;
		const killer = spawn("sh", ["-c", `${count}; kill -KILL ${task.pid}`], { stdio: "ignore" });
		const ended = once(killer, "exit");
		const error = task.run(() =>
			refusal(() => {
				for (let more = 1_000_000; more > 0; more--) {
					tmpfs(place, { size: "64k", propagation: "unbindable" });
					umount(place);
				}
			}),
		);
		expect(error).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE" });
		await ended;
		const left = mountAt(box.task, place);
		if (left) {
			expect(left).toMatchObject({
				options: ["rw", "nosuid", "nodev", "relatime"],
				propagation: ["unbindable"],
				data: expect.stringContaining("size=64k"),
			});
			box.task.run(() => umount(place));
		}
		expect(traces(box.task).mounts).toBe(mounts);
	}
});

test("bubblewrap #390: a target that is replaced by a link while it is looked up never leads elsewhere", async () => {
	await using box = await sandbox();
	const [place, elsewhere] = [box.folder("place"), box.folder("elsewhere")];
	symlinkSync("elsewhere", box.outside("link"));
	const link = box.inside("link");
	const before = traces(box.task);
	const child = await startExchanging(box.task, place, link);
	let [made, refused] = [0, 0];
	while (!child.death && (made < ROUNDS || refused < ROUNDS)) {
		box.task.run(() => {
			const error = refusal(() => tmpfs(place));
			if (error.code === undefined) made++;
			else {
				expect(error).toMatchObject({ code: "EINVAL", syscall: "move_mount" });
				refused++;
			}
		});
		const places = mountsOf(box.task).flatMap(({ at, source }) => (source === "tmpfs" ? [at] : []));
		const inside = places.filter((at) => at.startsWith(box.inside()));
		expect(inside).not.toContain(elsewhere);
		for (const at of inside) box.task.run(() => umount(new Location(undefined, at, { symlinks: false })));
		await setImmediate();
	}
	child.kill("SIGKILL");
	expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
	expect(traces(box.task).mounts).toBe(before.mounts);
	expect(readdirSync(box.outside("elsewhere"))).toEqual([]);
});

describe("places that are not as usual", () => {
	/** Makes every mount that a user namespace may make, and takes it away; then fails in several ways. */
	async function useEverything(task: Task, place: string, missing: string): Promise<void> {
		const makes: Maker[] = [
			(target) => bind("/usr", target, { set: ["rdonly"], propagation: "private" }),
			(target) => bind("/", target, { set: ["nosuid"], propagation: "slave" }),
			(target) => tmpfs(target),
			(target) => devpts(target),
			// Before Linux 6.13 the layers are named in a text, which needs /proc and no batch: see overlay-by-text.test.ts.
			...(has("Linux 6.13") ? [(target: string) => overlay(target, { lower: ["/usr", "/etc"] })] : []),
		];
		for (const make of makes) {
			task.run(() => {
				make(place);
				umount(place, { flags: ["detach"] });
			});
			await task.batch(() => {
				make(place);
				umount(place, { flags: ["detach"] });
			});
			expect(task.run(() => refusal(() => make(missing)))).toMatchObject({ code: "ENOENT", syscall: "move_mount" });
			await expect(task.batch(() => make(missing))).rejects.toMatchObject({ code: "ENOENT", syscall: "move_mount" });
		}
	}

	test("a host whose root is shared sees nothing of a task with a user namespace", async () => {
		await using host = await sandbox();
		const place = host.folder("place");
		host.task.run(() => mount(null, "/", null, { flags: ["rec", "shared"] }));
		await using task = await host.task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
		const before = [traces(host.task), traces(task)];
		task.run(() => tmpfs(place));
		expect(traces(host.task)).toEqual(before[0]);
		task.run(() => umount(place));
		await useEverything(task, place, host.inside("missing"));
		expect([traces(host.task), traces(task)]).toEqual(before);
	});

	test("a peer of a host whose root is shared mounts for the host too, and only what is attached", async () => {
		await using host = await sandbox();
		const place = host.folder("place");
		host.task.run(() => mount(null, "/", null, { flags: ["rec", "shared"] }));
		await using task = await host.task.clone({ namespaces: ["mnt"] });
		const before = traces(host.task);
		task.run(() => {
			using made = tmpfs(null);
			expect(traces(host.task)).toEqual(before);
			moveMount(made, place);
		});
		expect(mountAt(host.task, place)).toBeDefined();
		task.run(() => umount(place));
		expect(traces(host.task)).toEqual(before);
		await useEverything(task, place, host.inside("missing"));
		expect(traces(host.task)).toEqual(before);
	});

	test("nested user namespaces, where all mounts are locked", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		box.task.run(() => bind(box.inside(), box.inside(), { set: ["nosuid", "nodev", "noexec"] }));
		const options = { namespaces: ["user", "mnt"], idMap: "root" } as const;
		await using middle = await box.task.clone(options);
		await using inner = await middle.clone(options);
		const before = [box.task, middle, inner].map(traces);
		await useEverything(inner, place, box.inside("missing"));
		expect([box.task, middle, inner].map(traces)).toEqual(before);
	});

	test("no /proc is needed, with paths and with descriptors", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		box.task.run(() => tmpfs("/proc", { set: ["rdonly"] }));
		const before = traces(box.task);
		await useEverything(box.task, place, box.inside("missing"));
		box.task.run(() => {
			using target = openat2(place, { flags: ["path"] });
			using source = openat2("/usr", { flags: ["path"] });
			bind(source, target, { set: ["rdonly"] });
			tmpfs(target);
			umount(place);
			expect(mountAt(box.task, place)).toBeDefined();
		});
		box.task.run(() => umount(place));
		expect(traces(box.task)).toEqual(before);
	});
});
