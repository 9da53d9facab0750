// An overlay where the kernel takes no layers by descriptor, as before Linux 6.13: a filter answers as such a kernel does. The first
// overlay of this process asks the kernel, and the answer stays.
import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { chroot, Location, mkdir, openat2 } from "@nearfar/core";
import { type OverlayOptions, openTree, overlay, tmpfs, umount } from "@nearfar/mount";
import { beforeAll, expect, test } from "vitest";
import { has, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { type Layers, layers } from "./layers.ts";
import { limitDescriptors, mountsOf, traces } from "./sandbox.ts";

const [SYS_fsopen, SYS_fsconfig] = [430, 431];
const SET_FD = 5;
const [EPERM, EINVAL] = [1, 22];
const { test: overlayTest } = needs("the file system overlay", "/proc");

/** A sandbox whose kernel takes no layers by descriptor. */
async function oldKernel(): Promise<Layers> {
	const box = await layers();
	forbid(box.task, SYS_fsconfig, EINVAL, SET_FD, 1);
	return box;
}

beforeAll(async () => {
	if (!has("the file system overlay")) return;
	await using box = await layers();
	const lower = [box.layer("one"), box.layer("two")];
	// A task that may not open a context learns nothing, and meets the reason.
	await using task = await box.task.clone();
	forbid(task, SYS_fsopen, EPERM);
	expect(task.run(() => refusal(() => overlay(box.place, { lower })))).toMatchObject({
		code: "EPERM",
		syscall: "fsopen",
	});
	forbid(box.task, SYS_fsconfig, EINVAL, SET_FD, 1);
	// A batch does not ask.
	const batch = box.task.batch(() => overlay(box.place, { lower }));
	await expect(batch).rejects.toMatchObject({ code: "EINVAL", syscall: "fsconfig" });
	// No more does a detached overlay, for which mount(2) is of no use.
	expect(box.task.run(() => refusal(() => overlay(null, { lower })))).toMatchObject({
		code: "EINVAL",
		syscall: "fsconfig",
	});
	box.task.run(() => overlay(box.place, { lower }));
});

overlayTest("in a root with directories in the place of /proc/self/fd, nothing is mounted", async () => {
	await using box = await oldKernel();
	box.layer("one");
	const root = box.folder("image");
	for (const name of ["one", "two", "place"]) box.folder(`image/${name}`);
	for (let fd = 0; fd < 64; fd++) box.folder(`image/proc/self/fd/${fd}`);
	const before = traces(box.task);
	await using task = await box.task.clone();
	task.run(() => chroot(root));
	const error = task.run(() => refusal(() => overlay("/place", { lower: ["/one", "/two"] })));
	expect(error).toMatchObject({ code: "ENOENT", syscall: "mount" });
	expect(traces(box.task).mounts).toBe(before.mounts);
});

overlayTest("the layers have the order, the names and the attributes that were asked for", async () => {
	await using box = await oldKernel();
	const { upper, work, place } = box;
	const lower = ['a:b,c"', "d\\e\nf", "third"].map((name) => box.layer(name, "same"));
	const before = traces(box.task).descriptors;
	const options: OverlayOptions = {
		lower,
		upper,
		work,
		source: "image",
		volatile: true,
		data: { xino: "off" },
		set: ["nosuid", "nodev", "nodiratime"],
		clear: ["noexec"],
		atime: "noatime",
		exclusive: true,
	};
	box.task.run(() => {
		overlay(place, options);
		openat2(`${place}/new`, { flags: ["creat", "wronly"], mode: 0o644 }).close();
	});
	expect(readFileSync(box.outside("place/same"), "utf8")).toBe('a:b,c"');
	expect(existsSync(box.outside("upper/new"))).toBe(true);
	expect(box.mounted()).toMatchObject({
		source: "image",
		options: ["rw", "nosuid", "nodev", "noatime", "nodiratime"],
		data: expect.stringContaining("lowerdir=/proc/self/fd/"),
	});
	expect(traces(box.task).descriptors).toBe(before);
});

overlayTest("open directories and detached mounts are layers, and stay the caller's", async () => {
	await using box = await oldKernel();
	box.task.run(() => {
		using scratch = tmpfs(null);
		for (const name of ["upper", "work"]) mkdir(new Location(scratch, name));
		using copy = openTree(box.layer("one"), { flags: ["clone"] });
		using open = openat2(box.layer("two"), { flags: ["path"] });
		const [upper, work] = ["upper", "work"].map((name) => new Location(scratch, name)) as [Location, Location];
		overlay(box.place, { lower: [copy, open], upper, work });
		for (const fd of [scratch, copy, open]) expect(fd.closed).toBe(false);
	});
	expect(box.shown()).toEqual(["one", "two"]);
});

needs("the file system overlay", "/proc", "Linux 6.16").test("data-only layers", async () => {
	await using box = await oldKernel();
	box.task.run(() =>
		overlay(box.place, { lower: [box.layer("one")], dataOnly: [box.layer("two"), box.layer("three")] }),
	);
	expect(box.shown()).toEqual(["one"]);
	expect(box.mounted()?.data).toMatch(/lowerdir=[^:]*::[^:]*::[^:]*,/);
});

overlayTest("a link at the target is not followed, except through a Location", async () => {
	await using box = await oldKernel();
	const lower = [box.layer("one"), box.layer("two")];
	symlinkSync("place", box.outside("link"));
	const link = box.inside("link");
	const before = traces(box.task);
	box.task.run(() => {
		expect(refusal(() => overlay(link, { lower }))).toMatchObject({ code: "ENOTDIR", syscall: "mount" });
		expect(traces(box.task)).toEqual(before);
		overlay(new Location(undefined, link), { lower });
		umount(box.place);
		using place = openat2(box.place, { flags: ["path"] });
		overlay(place, { lower });
	});
	expect(box.shown()).toEqual(["one", "two"]);
});

overlayTest("more layers than 4095 bytes can name are a RangeError, and no descriptor stays", async () => {
	await using box = await oldKernel();
	const lower = Array.from({ length: 260 }, (_, index) => box.layer(`layer${index}`));
	const before = traces(box.task);
	expect(box.task.run(() => refusal(() => overlay(box.place, { lower }))).code).toBe("ERR_OUT_OF_RANGE");
	expect(traces(box.task)).toEqual(before);
	box.task.run(() => overlay(box.place, { lower: lower.slice(0, 190) }));
	expect(box.shown()).toHaveLength(190);
});

overlayTest("what mount(2) cannot do at once is refused with the kernel's error", async () => {
	await using box = await oldKernel();
	const lower = [box.layer("one"), box.layer("two")];
	const before = traces(box.task);
	for (const more of [{ propagation: "private" }, { set: 2 ** 30 }] as const) {
		const refused = box.task.run(() => refusal(() => overlay(box.place, { lower, ...more })));
		expect(refused).toMatchObject({ code: "EINVAL", syscall: "fsconfig" });
	}
	expect(box.task.run(() => refusal(() => overlay(null, { lower })))).toMatchObject({
		code: "EINVAL",
		syscall: "fsconfig",
	});
	await expect(box.task.batch(() => overlay(box.place, { lower }))).rejects.toMatchObject({
		code: "EINVAL",
		syscall: "fsconfig",
	});
	expect(traces(box.task)).toEqual(before);
});

overlayTest(
	"a missing layer, EMFILE at every step and a refusal of mount(2) leave neither a mount nor a descriptor",
	async () => {
		await using box = await oldKernel();
		const { upper, work, place } = box;
		const lower = [box.layer("one"), box.layer("two")];
		const before = traces(box.task);
		const missing = box.inside("missing");
		const refused = (options: OverlayOptions) => box.task.run(() => refusal(() => overlay(place, options)));
		expect(refused({ lower: [...lower, missing] })).toMatchObject({
			code: "ENOENT",
			syscall: "openat2",
			path: missing,
		});
		expect(refused({ lower, upper, work: upper })).toMatchObject({ code: "EINVAL", syscall: "mount" });
		expect(traces(box.task)).toEqual(before);
		for (let limit = 0; ; limit++) {
			limitDescriptors(box.task, limit);
			const error = refused({ lower, upper, work });
			limitDescriptors(box.task, 1024);
			if (error.code === undefined) break;
			expect(error).toMatchObject({ code: "EMFILE", syscall: "openat2" });
			expect(traces(box.task)).toEqual(before);
		}
		expect(box.shown()).toEqual(["one", "two"]);
	},
);

overlayTest("without a procfs in sight it is ENOENT", async () => {
	await using box = await oldKernel();
	const lower = [box.layer("one"), box.layer("two")];
	box.task.run(() => {
		tmpfs("/proc");
		expect(refusal(() => overlay(box.place, { lower }))).toMatchObject({ code: "ENOENT", syscall: "mount" });
	});
	expect(mountsOf(box.task).at(-1)?.at).toBe("/proc");
});

test("wrong arguments are refused before any call", async () => {
	await using box = await layers();
	forbid(box.task, SYS_fsopen, EPERM);
	const refused = box.task.run(() => refusal(() => overlay("/missing", { lower: ["/a", "/b"], source: "a\0" })));
	expect(refused).toBeInstanceOf(TypeError);
});
