// Kernels before Linux 6.15, which mount nothing in a detached tree. The flags of the probe are those of no other call of
// move_mount(2) here, and a filter answers the probe as those kernels do.
import type { Task } from "@nearfar/core";
import { type Mount, moveMount, populateDev, populateProc, populateSys, tmpfs, umount } from "@nearfar/mount";
import { expect } from "vitest";
import { needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid, killAt } from "../../../test/seccomp.ts";
import { ownUser } from "./program.ts";
import { limitDescriptors, mountAt, mountsOf, type Sandbox, sandbox, traces } from "./sandbox.ts";

const SYS_move_mount = 429;
const [EINVAL, ENOMEM] = [22, 12];
const flagsOfProbe = 0x74; // MOVE_MOUNT_F_EMPTY_PATH, and T_SYMLINKS, T_AUTOMOUNTS and T_EMPTY_PATH

const makers = {
	populateDev: (target: string | null) => populateDev(target as string, { tun: false, pts: "new" }),
	populateProc: (target: string | null) =>
		populateProc(target as string, { mask: ["version", "tty/"], readonly: ["fs"] }),
	populateSys: (target: string | null) => populateSys(target as string),
	"populateSys with devices": (target: string | null) => populateSys(target as string, { devices: true }),
};

const ofAll = ["a /proc and a /sys that nothing hides", "/proc"] as const;
const unhidden = needs(...ofAll);
const since615 = needs(...ofAll, "Linux 6.15"); // where a detached tree can be filled in fact

async function oldKernel(): Promise<Sandbox> {
	const box = await sandbox(ownUser("pid", "net", "ipc", "cgroup"));
	forbid(box.task, SYS_move_mount, EINVAL, flagsOfProbe, 4);
	return box;
}

/** Returns the mounts of a tree: where they are in it, and what they are. */
function tree(task: Task, place: string) {
	return mountsOf(task)
		.filter(({ at }) => at === place || at.startsWith(`${place}/`))
		.map(({ at, root, options, type }) => [at.slice(place.length), root, options.join(), type])
		.sort();
}

since615.test("a batch asks no kernel, and builds a detached tree while nothing else is known", async () => {
	await using box = await oldKernel();
	const place = box.folder("place");
	await box.task.batch(() => populateDev(place));
	expect(mountAt(box.task, `${place}/null`)).toBeDefined();
});

since615.test.each(Object.entries(makers))("%s attaches the tree first, and fills it to the same", async (_, make) => {
	await using box = await oldKernel();
	const [place, other] = [box.folder("place"), box.folder("other")];
	const before = traces(box.task);
	box.task.run(() => {
		using detached = make(null) as unknown as Mount;
		moveMount(detached, other);
		make(place);
	});
	expect(tree(box.task, place)).toEqual(tree(box.task, other));
	expect(tree(box.task, place).length).toBeGreaterThan(2);
	box.task.run(() => {
		for (const path of [place, other]) umount(path, { flags: ["detach"] });
	});
	expect(traces(box.task)).toEqual(before);
});

unhidden.test("what cannot be filled is unmounted, and its error surfaces, also at /proc itself", async () => {
	await using box = await oldKernel();
	const place = box.folder("place");
	const before = traces(box.task);
	for (const target of [place, "/proc"]) {
		const masked = box.task.run(() => refusal(() => populateProc(target, { mask: ["version", "missing"] })));
		expect(masked).toMatchObject({ code: "ENOENT", syscall: "openat2", path: "missing" });
		expect(traces(box.task)).toEqual(before);
	}
	const missing = box.task.run(() => refusal(() => populateDev(box.inside("missing"))));
	expect(missing).toMatchObject({ code: "ENOENT", syscall: "move_mount" });
	expect(traces(box.task)).toEqual(before);
});

unhidden.test.each(Object.entries(makers))("EMFILE at every step of %s leaves no mount", async (_, make) => {
	await using box = await oldKernel();
	const place = box.folder("place");
	await using task = await box.task.clone();
	const before = [traces(task), traces(box.task)];
	for (let limit = 0; ; limit++) {
		limitDescriptors(task, limit);
		const error = await reason(() => task.run(() => make(place)));
		limitDescriptors(task, 1024);
		if (error === undefined) break;
		expect(error).toMatchObject({ code: "EMFILE" });
		expect([traces(task), traces(box.task)]).toEqual(before);
	}
	expect(mountAt(box.task, place)).toBeDefined();
});

const calls = { openat2: 437, open_tree: 428, mount_setattr: 442, fsopen: 430, fsconfig: 431, fsmount: 432 };

unhidden.test.each(Object.entries(calls))("an error of %s surfaces, and leaves no mount", async (syscall, nr) => {
	await using box = await oldKernel();
	const place = box.folder("place");
	box.task.run(() => {
		populateDev(place); // the kernel is asked once, before the filter
		umount(place, { flags: ["detach"] });
	});
	const before = traces(box.task);
	for (const make of Object.values(makers)) {
		await using task = await box.task.clone();
		forbid(task, nr, ENOMEM);
		const error = task.run(() => refusal(() => make(place)));
		if (error.code === undefined) task.run(() => umount(place, { flags: ["detach"] }));
		else expect(error).toMatchObject({ code: "ENOMEM", syscall });
		expect(traces(box.task)).toEqual(before);
	}
});

unhidden.test("what cannot be filled is unmounted in a task that sees no /proc, too", async () => {
	await using box = await oldKernel();
	const place = box.folder("place");
	box.task.run(() => tmpfs("/proc"));
	const before = traces(box.task);
	const masked = box.task.run(() => refusal(() => populateProc(place, { mask: ["version", "missing"] })));
	expect(masked).toMatchObject({ code: "ENOENT", syscall: "openat2", path: "missing" });
	expect(traces(box.task)).toEqual(before);
});

unhidden.test("a batch is refused where the kernel is known to be too old, before any call", async () => {
	await using box = await oldKernel();
	const place = box.folder("place");
	box.task.run(() => {
		populateDev(place);
		umount(place, { flags: ["detach"] });
	});
	const before = traces(box.task);
	for (const make of Object.values(makers)) {
		expect(await reason(() => box.task.batch(() => make(place)))).toMatchObject({ code: "ERR_NEARFAR_BATCH" });
	}
	expect(traces(box.task)).toEqual(before);
});

unhidden.test("the kernel is asked once in a process", async () => {
	await using box = await sandbox(ownUser());
	const place = box.folder("place");
	await using old = await oldKernel();
	old.task.run(() => populateDev(old.folder("place")));
	killAt(box.task, SYS_move_mount, flagsOfProbe, 4);
	box.task.run(() => populateDev(place));
	expect(mountAt(box.task, `${place}/null`)).toBeDefined();
});
