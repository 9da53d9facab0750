// The functions that build whole directories, when a step fails, when the task dies, and in places that are not as usual.
import { readFileSync, symlinkSync } from "node:fs";
import { open } from "node:fs/promises";
import { type CloneOptions, mknod, openat2, type Task } from "@nearfar/core";
import { native } from "@nearfar/core/internal";
import { type Mount, mount, moveMount, populateDev, populateProc, populateSys, tmpfs, umount } from "@nearfar/mount";
import { expect, test } from "vitest";
import { has, needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { ROUNDS, startExchanging } from "./exchanging.ts";
import { ownUser } from "./program.ts";
import { arm64, limitDescriptors, mountAt, mountsOf, sandbox, traces } from "./sandbox.ts";

const errors = { ENOMEM: 12, ENOSPC: 28, ENOSYS: 38, EPERM: 1 } as const;
const steps = {
	openat2: 437,
	open_tree: 428,
	mount_setattr: 442,
	fsopen: 430,
	fsconfig: 431,
	fsmount: 432,
	mkdirat: arm64 ? 34 : 258,
	fchmodat: arm64 ? 53 : 268,
	symlinkat: arm64 ? 36 : 266,
	move_mount: 429,
} as const;
const ofTmpfs = ["fsopen", "fsconfig", "fsmount", "openat2", "open_tree", "mount_setattr", "move_mount"] as const;

type Make = (target: string | null) => unknown;
/** What each function does, at its longest, and its system calls. */
const makers: Record<string, { make: Make; calls: readonly (keyof typeof steps)[] }> = {
	populateDev: {
		make: (target) => populateDev(target as string, { mqueue: true, console: "/dev/zero" }),
		calls: [...ofTmpfs, "mkdirat", "fchmodat", "symlinkat"],
	},
	populateProc: {
		make: (target) => populateProc(target as string, { mask: ["version", "tty/"], readonly: ["fs"] }),
		calls: ofTmpfs,
	},
	populateSys: {
		make: (target) => populateSys(target as string, { devices: true }),
		calls: [...ofTmpfs, "mkdirat", "fchmodat"],
	},
};
const namespaces: CloneOptions = ownUser("pid", "net", "ipc", "cgroup");

const ofAll = ["a /proc and a /sys that nothing hides", "/proc", "the file system mqueue"] as const;
const unhidden = needs(...ofAll);
// Before Linux 6.15 a batch cannot build a tree after the probe, and a killed task leaves half a tree: see populate-fallback.test.ts.
const since615 = needs(...ofAll, "Linux 6.15");
const canCollect = has("Linux 6.15");

unhidden.describe.each(Object.entries(makers))("%s", (_, { make, calls }) => {
	const waysOf = (task: Task, place: string): (() => unknown)[] => [
		() => task.run(() => make(place)),
		...(canCollect ? [() => task.batch(() => make(place))] : []),
	];

	test("EMFILE at every step leaves neither a mount nor a descriptor", async () => {
		await using box = await sandbox(namespaces);
		const place = box.folder("place");
		for (const way of canCollect ? [0, 1] : [0]) {
			await using task = await box.task.clone();
			const before = [traces(task), traces(box.task)];
			let failures = 0;
			for (let limit = 0; ; limit++) {
				limitDescriptors(task, limit);
				const error = await reason(waysOf(task, place)[way] as () => unknown);
				limitDescriptors(task, 1024);
				if (error === undefined) break;
				expect(error).toMatchObject({ code: "EMFILE" });
				expect([traces(task), traces(box.task)]).toEqual(before);
				failures++;
			}
			expect(failures).toBeGreaterThan(3);
			expect(mountAt(box.task, place)).toBeDefined();
			task.run(() => umount(place, { flags: ["detach"] }));
			expect([traces(task), traces(box.task)]).toEqual(before);
		}
	});

	test.each(calls)("an error of %s surfaces, and leaves neither a mount nor a descriptor", async (call) => {
		await using box = await sandbox(namespaces);
		const place = box.folder("place");
		for (const [code, errno] of Object.entries(errors)) {
			await using task = await box.task.clone();
			forbid(task, steps[call], errno);
			const before = traces(box.task);
			for (const way of waysOf(task, place)) {
				expect(await reason(way)).toMatchObject({ code, syscall: call });
				expect(traces(box.task)).toEqual(before);
			}
		}
	});

	since615.test("a task that is killed before any of its calls leaves no mount", async () => {
		await using box = await sandbox(namespaces);
		const place = box.folder("place");
		box.task.run(() => {
			make(place); // the probe of the kernel is made once, and not counted below
			umount(place, { flags: ["detach"] });
		});
		const before = traces(box.task);
		let step = 0;
		for (let killed = true; killed; step++) {
			await using task = await box.task.clone();
			let left = step;
			const restore = onEveryCall(() => {
				if (left-- === 0) process.kill(task.pid, "SIGKILL");
			});
			const error = task.run(() => refusal(() => make(place)));
			restore();
			killed = error.code === "ERR_NEARFAR_TASK_GONE";
			expect([step, error.code]).toEqual([step, killed ? "ERR_NEARFAR_TASK_GONE" : undefined]);
			if (killed) expect(traces(box.task)).toEqual(before);
		}
		expect(step).toBeGreaterThan(20);
		expect(mountAt(box.task, place)).toBeDefined();
	});

	since615.test("a batch that is killed between the tree and its target leaves no mount", async () => {
		await using box = await sandbox(namespaces);
		const [place, one, two] = [box.folder("place"), box.inside("one"), box.inside("two")];
		box.task.run(() => {
			for (const fifo of [one, two]) mknod(fifo, "fifo");
		});
		await using task = await box.task.clone();
		const before = traces(box.task);
		const batch = task.batch(() => {
			using tree = make(null) as Mount;
			openat2(one).close(); // waits for a writer
			openat2(two).close(); // waits for ever
			moveMount(tree, place);
		});
		const rejected = expect(batch).rejects.toMatchObject({ code: "ERR_NEARFAR_TASK_GONE" });
		await (await open(box.outside("one"), "w")).close(); // the tree is there now
		process.kill(task.pid, "SIGKILL");
		await rejected;
		expect(traces(box.task)).toEqual(before);
	});

	test("a host whose root is shared sees nothing of a task with a user namespace", async () => {
		await using host = await sandbox();
		const place = host.folder("place");
		host.task.run(() => mount(null, "/", null, { flags: ["rec", "shared"] }));
		await using task = await host.task.clone(namespaces);
		const before = [traces(host.task), traces(task)];
		const ways = waysOf(task, place);
		for (const way of ways) await way();
		const missing = host.inside("missing");
		expect(task.run(() => refusal(() => make(missing)))).toMatchObject({ code: "ENOENT", syscall: "move_mount" });
		expect(traces(host.task)).toEqual(before[0]);
		task.run(() => {
			for (const _ of ways) umount(place, { flags: ["detach"] });
		});
		expect([traces(host.task), traces(task)]).toEqual(before);
	});

	test("a target that is replaced by a link while it is looked up never leads elsewhere", async () => {
		await using box = await sandbox(namespaces);
		const [place, elsewhere] = [box.folder("target"), box.folder("elsewhere")];
		symlinkSync("elsewhere", box.outside("link"));
		const before = traces(box.task);
		const child = await startExchanging(box.task, place, box.inside("link"));
		let [made, refused] = [0, 0];
		while (!child.death && (made < ROUNDS || refused < ROUNDS)) {
			const error = box.task.run(() => refusal(() => make(place)));
			if (error.code === undefined) made++;
			else {
				expect(error).toMatchObject({ code: "EINVAL", syscall: "move_mount" });
				refused++;
			}
			const trees = mountsOf(box.task).flatMap(({ at }) =>
				[place, box.inside("link"), elsewhere].includes(at) ? [at] : [],
			);
			expect(trees).not.toContain(elsewhere);
			box.task.run(() => {
				for (const at of trees) umount(at, { flags: ["detach", "nofollow"] });
			});
			await new Promise(setImmediate);
		}
		child.kill("SIGKILL");
		expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
		expect(traces(box.task).mounts).toBe(before.mounts);
	});
});

unhidden.test("in nested user namespaces, where all mounts are locked, every function works", async () => {
	await using box = await sandbox();
	const [dev, proc, sys] = [box.folder("dev"), box.folder("proc"), box.folder("sys")];
	const options: CloneOptions = { namespaces: ["user", "mnt", "net"], idMap: "root" };
	await using middle = await box.task.clone(options);
	await using inner = await middle.clone(options);
	const before = [box.task, middle, inner].map(traces);
	inner.run(() => {
		populateDev(dev, { pts: "host" });
		populateProc(proc, { mask: ["version", "tty/"] });
		populateSys(sys, { devices: true });
		for (const place of [dev, proc, sys]) umount(place, { flags: ["detach"] });
	});
	if (canCollect) {
		await inner.batch(() => {
			populateDev(dev);
			umount(dev, { flags: ["detach"] });
		});
	}
	expect([box.task, middle, inner].map(traces)).toEqual(before);
});

unhidden.test("in a task that sees no /proc every function works, and what fails leaves nothing", async () => {
	await using box = await sandbox(namespaces);
	const place = box.folder("place");
	box.task.run(() => tmpfs("/proc"));
	const before = traces(box.task);
	for (const { make } of Object.values(makers)) {
		box.task.run(() => {
			make(place);
			umount(place, { flags: ["detach"] });
			expect(refusal(() => make(box.inside("missing")))).toMatchObject({ code: "ENOENT", syscall: "move_mount" });
		});
	}
	box.task.run(() => {
		expect(refusal(() => populateDev(place, { devices: ["missing"] }))).toMatchObject({ code: "ENOENT" });
		expect(refusal(() => populateProc(place, { mask: ["missing"] }))).toMatchObject({ code: "ENOENT" });
		expect(refusal(() => populateSys(place, { cgroup: box.inside("missing") }))).toMatchObject({ code: "ENOENT" });
	});
	expect(traces(box.task)).toEqual(before);
});

test("a node that is replaced by a link while it is opened is bound itself, or refused", async () => {
	await using box = await sandbox();
	const [source, place] = [box.folder("source"), box.folder("place")];
	const [node, link] = [box.file("source/node", "node"), box.inside("source/link")];
	box.file("secret", "secret");
	symlinkSync(box.inside("secret"), box.outside("source/link"));
	const before = traces(box.task).mounts;
	const child = await startExchanging(box.task, node, link);
	let [bound, refused] = [0, 0];
	while (!child.death && (bound < ROUNDS || refused < ROUNDS)) {
		const error = box.task.run(() => refusal(() => populateDev(place, { source, devices: ["node"], shm: false })));
		if (error.code === undefined) {
			bound++;
			expect(readFileSync(box.outside("place/node"), "utf8")).toBe("node");
			box.task.run(() => umount(place, { flags: ["detach"] }));
		} else {
			refused++;
			expect(error).toMatchObject({ code: "ELOOP", path: `${source}/node` });
		}
		await new Promise(setImmediate);
	}
	child.kill("SIGKILL");
	expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
	expect(traces(box.task).mounts).toBe(before);
});

/** Calls `fn` before each call of the addon, until the returned function is called. */
function onEveryCall(fn: () => void): () => void {
	const addon = native() as unknown as Record<string, (...args: unknown[]) => unknown>;
	const originals = Object.entries(addon).filter(([name]) => calledFunctions.has(name));
	for (const [name, original] of originals) {
		addon[name] = (...args) => {
			fn();
			return original(...args);
		};
	}
	return () => {
		for (const [name, original] of originals) addon[name] = original;
	};
}

const calledFunctions = new Set([
	"openat2",
	"openTree",
	"mountSetattr",
	"fsopen",
	"fsconfig",
	"fsmount",
	"moveMount",
	"mkdirat",
	"fchmodat",
	"symlinkat",
	"statx",
	"close",
]);
