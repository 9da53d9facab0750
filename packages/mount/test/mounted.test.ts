import {
	chmodSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmdirSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { chdir, FileDescriptor, Location, openat2, statx, Task } from "@nearfar/core";
import { type FsContext, fsmount, fsopen, Mount, mount, moveMount, openTree, umount } from "@nearfar/mount";
import { describe, expect, test } from "vitest";
import { fixturePath, runFixture } from "../../../test/fixture.ts";
import { has, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { limitDescriptors, mountAt, ownMounts, type Sandbox, sandbox } from "./sandbox.ts";

const creat = { flags: ["creat", "wronly"], mode: 0o600 } as const;
const mountinfo = (task: Task) => readFileSync(`/proc/${task.pid}/mountinfo`, "utf8");
const workingDirectory = (task: Task) => readlinkSync(`/proc/${task.pid}/cwd`);
const label = (source = "label") => Mount.create("tmpfs", { source, data: { mode: "755" } });
const isMounted = (box: Sandbox, path: string) => mountAt(box.task, path) !== undefined;
const SYS_unshare = process.arch === "arm64" ? 97 : 272;
const CLONE_NEWNS = 0x20000;

/** Returns the numbers of the descriptors of a task. The call before lets the task close what it still has to close. */
function openNumbers(task: Task): string[] {
	task.run(() => openat2("/").close());
	return readdirSync(`/proc/${task.pid}/fd`);
}

/** Takes the capabilities of a task, except those that are named. */
function dropCapabilities(task: Task, kept: "SYS_ADMIN"[] = []): void {
	const SYS_capset = process.arch === "arm64" ? 91 : 126;
	const version3 = Buffer.from(new Uint32Array([0x2008_0522, 0]).buffer);
	const bits = kept.length > 0 ? 1 << 21 : 0;
	task.syscall(SYS_capset, version3, Buffer.from(new Uint32Array([bits, bits, 0, 0, 0, 0]).buffer));
}

describe("create", () => {
	test("a detached mount of a new file system, with attributes", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		box.task.run(() => {
			using made = Mount.create("tmpfs", {
				source: "label",
				data: { size: "64k" },
				exclusive: has("Linux 6.6"),
				set: ["nosuid", "noexec"],
				atime: "noatime",
				propagation: "shared",
			});
			expect(made).toBeInstanceOf(Mount);
			moveMount(made, place);
		});
		expect(mountAt(box.task, place)).toMatchObject({
			source: "label",
			options: ["rw", "nosuid", "noexec", "noatime"],
			propagation: ["shared"],
		});
	});

	test("the source is the name of the file system by default, and clear takes attributes away", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		box.task.run(() => {
			using made = Mount.create("tmpfs", { set: ["nosuid", "nodev"], clear: ["nodev"] });
			moveMount(made, place);
		});
		expect(mountAt(box.task, place)).toMatchObject({ source: "tmpfs", options: ["rw", "nosuid", "relatime"] });
	});

	test("nsjail PR 344: when a later step fails, nothing stays", async () => {
		await using box = await sandbox();
		const before = [openNumbers(box.task), mountinfo(box.task)];
		box.task.run(() => {
			using wrong = openat2("/dev/null");
			const refused = refusal(() => Mount.create("tmpfs", { userns: wrong }));
			expect(refused).toMatchObject({ code: "EINVAL", syscall: "mount_setattr", hint: expect.any(String) });
			expect(refusal(() => Mount.create("no-such"))).toMatchObject({ code: "ENODEV", syscall: "fsopen" });
			expect(refusal(() => Mount.create("tmpfs", { data: "nosuid" }))).toMatchObject({ code: "EINVAL" });
		});
		expect([openNumbers(box.task), mountinfo(box.task)]).toEqual(before);
	});

	test("a batch that fails after create leaves no mount and no descriptor", async () => {
		await using box = await sandbox();
		const before = [openNumbers(box.task), mountinfo(box.task)];
		const batch = box.task.batch(() => {
			label().attach(box.inside("missing"));
		});
		await expect(batch).rejects.toMatchObject({ code: "ENOENT", syscall: "move_mount" });
		expect([openNumbers(box.task), mountinfo(box.task)]).toEqual(before);
	});
});

describe("open", () => {
	/** Makes a mount with links that lead out of it. */
	function withLinks(box: Sandbox, at: string): void {
		mkdirSync(box.outside(`${at}/etc`));
		writeFileSync(box.outside(`${at}/etc/passwd`), "inner");
		symlinkSync("/etc", box.outside(`${at}/absolute`));
		symlinkSync("../../../../etc/passwd", box.outside(`${at}/relative`));
		symlinkSync("absolute/passwd", box.outside(`${at}/chained`));
	}

	for (const kind of ["attached", "detached"]) {
		test(`OA2-01 OA2-02 OA2-03 paths, links and .. stay inside of an ${kind} mount`, async () => {
			await using box = await sandbox();
			const [source, place] = [box.folder("source"), box.folder("place")];
			withLinks(box, "source");
			box.task.run(() => {
				using tree = openTree(source, { flags: ["clone"] });
				if (kind === "attached") moveMount(tree, place);
				for (const path of [
					"etc/passwd",
					"/etc/passwd",
					"../../etc/passwd",
					"absolute/passwd",
					"relative",
					"chained",
				]) {
					using file = tree.open(path);
					expect(`${file.read(9)}`).toBe("inner");
					expect(file).not.toBeInstanceOf(Mount);
				}
				for (const path of ["", "/", ".", "..", "../.."]) {
					using root = tree.open(path, { flags: ["path"] });
					using file = openat2(new Location(root, "etc/passwd"));
					expect(`${file.read(9)}`).toBe("inner");
				}
				tree.open("made", creat).close();
				expect(refusal(() => tree.open("missing"))).toMatchObject({ code: "ENOENT", syscall: "openat2" });
			});
			expect(existsSync(box.outside("source/made"))).toBe(true);
		});
	}

	test("OA2-04 magic links are refused, and what resolve asks for is added", async () => {
		await using box = await sandbox();
		const source = box.folder("source");
		withLinks(box, "source");
		box.task.run(() => {
			using proc = openTree("/proc", { flags: ["clone", "recursive"] });
			expect(refusal(() => proc.open("self/exe"))).toMatchObject({ code: "ELOOP", syscall: "openat2" });
			expect(refusal(() => proc.open("self/cwd/etc/passwd"))).toMatchObject({ code: "ELOOP" });
			using tree = openTree(source, { flags: ["clone"] });
			const strict = { resolve: ["noSymlinks"] } as const;
			expect(refusal(() => tree.open("relative", strict))).toMatchObject({ code: "ELOOP" });
			tree.open("etc/passwd", strict).close();
			expect(refusal(() => tree.open("etc", { resolve: ["beneath"] }))).toMatchObject({ code: "EINVAL" });
		});
	});

	test("OA2-05 wrong arguments", async () => {
		await using box = await sandbox();
		box.task.run(() => {
			using tree = label();
			expect(refusal(() => tree.open("a\0b")).code).toBe("ERR_INVALID_ARG_VALUE");
			expect(refusal(() => tree.open(1 as never)).code).toBe("ERR_INVALID_ARG_TYPE");
			expect(refusal(() => tree.open("x", { unknown: 1 } as never)).code).toBe("ERR_INVALID_ARG_VALUE");
			expect(refusal(() => tree.open("x", { resolve: ["no-such"] as never })).code).toBe("ERR_INVALID_ARG_VALUE");
			expect(refusal(() => tree.open("x", { resolve: 0x4000_0000 }))).toMatchObject({ code: "EINVAL" });
		});
	});

	test("a mount of one file has no paths", async () => {
		await using box = await sandbox();
		const file = box.file("file", "content");
		box.task.run(() => {
			using tree = openTree(file, { flags: ["clone"] });
			for (const path of ["", ".", "x"]) {
				expect(refusal(() => tree.open(path))).toMatchObject({ code: "ENOTDIR", syscall: "openat2" });
			}
		});
	});
});

describe("attach and dispose", () => {
	test("what attach has attached ends with the object, and what moveMount has attached stays", async () => {
		await using box = await sandbox();
		const [tied, free] = [box.folder("tied"), box.folder("free")];
		const before = openNumbers(box.task);
		box.task.run(() => {
			using first = label("first").attach(tied);
			using second = label("second");
			moveMount(second, free);
			expect([isMounted(box, tied), isMounted(box, free), first.closed]).toEqual([true, true, false]);
		});
		expect([isMounted(box, tied), isMounted(box, free)]).toEqual([false, true]);
		expect(openNumbers(box.task)).toEqual(before);
	});

	test("close closes the descriptor alone, and dispose after it does nothing", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const tied = box.task.run(() => label().attach(place));
		tied.close();
		tied[Symbol.dispose]();
		expect(isMounted(box, place)).toBe(true);
	});

	test("a failed attach ties nothing", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		box.task.run(() => {
			using made = label();
			expect(refusal(() => made.attach(box.inside("missing")))).toMatchObject({
				code: "ENOENT",
				syscall: "move_mount",
			});
			moveMount(made, place);
		});
		expect(isMounted(box, place)).toBe(true);
	});

	test("a mount that is disposed in another place than its task ends there, too", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const made = box.task.run(() => label().attach(place));
		await using other = await Task.clone();
		other.run(() => made[Symbol.dispose]());
		expect(isMounted(box, place)).toBe(false);
		const again = box.task.run(() => label().attach(place));
		await other.batch(() => again[Symbol.dispose]());
		expect(isMounted(box, place)).toBe(false);
	});

	test("bedup #56 a busy mount goes out of sight, and oci-umount #48 lives on where it is open", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const file = box.task.run(() => {
			using scratch = label().attach(place);
			chdir(place);
			scratch.open("file", creat).close();
			return openat2(`${place}/file`, { flags: ["rdwr"] });
		});
		expect(isMounted(box, place)).toBe(false);
		box.task.run(() => {
			file.write("alive");
			openat2("file").close();
			chdir("/");
			// umount without detach is the strict way.
			using busy = label();
			moveMount(busy, place);
			expect(refusal(() => umount(place))).toMatchObject({ code: "EBUSY", syscall: "umount2" });
		});
		file.close();
	});

	test("a link at the target is not followed, a Location follows, and an open descriptor is the place", async () => {
		await using box = await sandbox();
		const [place, file] = [box.folder("place"), box.file("file")];
		symlinkSync("place", box.outside("link"));
		symlinkSync("file", box.outside("link-to-file"));
		box.task.run(() => {
			using made = label();
			expect(refusal(() => made.attach(box.inside("link")))).toMatchObject({
				code: "EINVAL",
				hint: expect.any(String),
			});
			made.attach(new Location(undefined, box.inside("link")));
			expect(isMounted(box, place)).toBe(true);
		});
		expect(isMounted(box, place)).toBe(false);
		box.task.run(() => {
			using bound = openTree(file, { flags: ["clone"] }).attach(box.inside("link-to-file"));
			expect(isMounted(box, box.inside("link-to-file"))).toBe(true);
			using target = openat2(place, { flags: ["path"] });
			using made = label().attach(target);
			expect([isMounted(box, place), bound.closed, made.closed]).toEqual([true, false, false]);
		});
		expect(isMounted(box, box.inside("link-to-file"))).toBe(false);
	});

	test("in a batch a mount is attached, used and ended", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		await box.task.batch(() => {
			using made = label().attach(place);
			made.open("file", creat).close();
		});
		expect(isMounted(box, place)).toBe(false);
		let made: Mount | undefined;
		await box.task.batch(() => {
			made = label().attach(place);
		});
		expect(isMounted(box, place)).toBe(true);
		await box.task.batch(() => made?.[Symbol.dispose]());
		expect([isMounted(box, place), made?.closed]).toEqual([false, true]);
	});

	test("a batch that fails before attach has run ties nothing", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const made = box.task.run(() => label());
		const batch = box.task.batch(() => {
			openat2("/missing");
			made.attach(place);
		});
		await expect(batch).rejects.toMatchObject({ code: "ENOENT" });
		box.task.run(() => moveMount(made, place));
		made[Symbol.dispose]();
		expect(isMounted(box, place)).toBe(true);
	});
});

describe("copies", () => {
	test("dup, put and get make mounts that are not tied", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		await using other = await Task.clone(ownMounts);
		const made = box.task.run(() => label().attach(place));
		const near = box.task.get(made);
		const copies = [box.task.run(() => made.dup()), near, other.put(near)];
		for (const copy of copies) {
			expect(copy).toBeInstanceOf(Mount);
			copy[Symbol.dispose]();
			expect(isMounted(box, place)).toBe(true);
		}
		made[Symbol.dispose]();
		expect(isMounted(box, place)).toBe(false);
	});

	test("a mount that a task has taken over is tied there", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		box.task.run(() => {
			using taken = Mount.from(label().take());
			taken.attach(place);
			expect(isMounted(box, place)).toBe(true);
		});
		expect(isMounted(box, place)).toBe(false);
	});
});

describe("unmount", () => {
	test("what lies on a mount and below it goes along with it", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const before = mountinfo(box.task);
		box.task.run(() => {
			using made = label("bottom").attach(place);
			box.folder("place/below");
			mount("below", `${place}/below`, "tmpfs");
			for (let index = 0; index < 5; index++) mount(`top-${index}`, place, "tmpfs");
			made.unmount();
			expect(mountinfo(box.task)).toBe(before);
			made.open("below").close();
			made.unmount();
		});
		expect(mountinfo(box.task)).toBe(before);
	});

	test("a mount that was moved meanwhile is found, and the one that lies at its former place is not touched", async () => {
		await using box = await sandbox();
		const [place, moved] = [box.folder("place"), box.folder("moved")];
		box.task.run(() => {
			using made = label("made").attach(place);
			moveMount(place, moved);
			mount("other", place, "tmpfs");
			expect(made.closed).toBe(false);
		});
		expect(mountAt(box.task, place)).toMatchObject({ source: "other" });
		expect(isMounted(box, moved)).toBe(false);
	});

	test("a mount that is detached, gone already, or whose task is gone is no error", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const left = box.task.run(() => {
			using detached = label();
			detached.unmount();
			using made = label().attach(place);
			umount(place, { flags: ["detach"] });
			made.unmount();
			return label().attach(place);
		});
		await box.task[Symbol.asyncDispose]();
		left.unmount();
		left[Symbol.dispose]();
	});

	test("a mount of a file is unmounted", async () => {
		await using box = await sandbox();
		const [file, target] = [box.file("file", "content"), box.file("target")];
		box.task.run(() => {
			using bound = openTree(file, { flags: ["clone"] }).attach(target);
			expect([isMounted(box, target), bound.closed]).toEqual([true, false]);
		});
		expect(isMounted(box, target)).toBe(false);
	});

	test("a mount namespace that the task has left keeps the mount", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const made = box.task.run(() => label().attach(place));
		await using stays = await box.task.clone();
		box.task.syscall(SYS_unshare, CLONE_NEWNS);
		made[Symbol.dispose]();
		expect(mountAt(stays, place)).toMatchObject({ source: "label" });
		expect(made.closed).toBe(true);
	});

	test("in a batch a mount from before is one call, and what lies on it stays in the batch after", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const made = box.task.run(() => label().attach(place));
		const batch = box.task.batch(() => {
			openat2("/").close();
			made.unmount();
			made.unmount();
			openat2("/missing");
		});
		await expect(batch).rejects.toMatchObject({ code: "ENOENT", step: 4 });
		expect(isMounted(box, place)).toBe(false);
		made.close();
	});

	test("in a batch all that lies on a mount goes along with it, up to seven mounts", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const made = box.task.run(() => label().attach(place));
		const cover = (count: number) => {
			for (let index = 0; index < count; index++) mount("cover", place, "tmpfs");
		};
		await box.task.batch(() => {
			cover(7);
			made.unmount();
		});
		expect(isMounted(box, place)).toBe(false);
		await box.task.batch(() => {
			using same = label();
			moveMount(same, place);
			cover(7);
			same.unmount();
		});
		expect(isMounted(box, place)).toBe(false);
		const again = box.task.run(() => label().attach(place));
		const batch = box.task.batch(() => {
			cover(8);
			again.unmount();
			openat2("/").close();
		});
		await expect(batch).rejects.toMatchObject({ code: "EBUSY", syscall: "umount2", step: 8 });
		again[Symbol.dispose]();
		made.close();
		expect(isMounted(box, place)).toBe(false);
	});

	test("an unmount of a mount that is gone already does not keep a batch from executing a program", async () => {
		await using box = await sandbox();
		const made = box.task.run(() => label());
		await box.task.batch(() => {
			made.unmount();
			box.task.exec("true", ["true"]);
		});
		expect(await box.task.process.exited).toMatchObject({ code: 0 });
	});

	test("in a batch a mount that the same batch makes is unmounted, and the working directory is as before", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		box.task.run(() => chdir("/usr"));
		const batch = box.task.batch(() => {
			using made = label();
			moveMount(made, place);
			made.unmount();
			made.unmount();
			openat2("bin").close();
		});
		await batch;
		expect([isMounted(box, place), workingDirectory(box.task)]).toEqual([false, "/usr"]);
	});

	test("without the privilege the error is loud, and the descriptor is closed", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const made = box.task.run(() => label().attach(place));
		const other = box.task.run(() => made.dup());
		dropCapabilities(box.task);
		expect(refusal(() => other.unmount())).toMatchObject({ code: "EPERM", syscall: "umount2" });
		const open = box.task.run(() => openat2("/usr"));
		const batch = box.task.batch(() => {
			other.unmount();
			open.close();
			openat2(`${place}/later`, creat).close();
		});
		await expect(batch).rejects.toMatchObject({ code: "EPERM", syscall: "umount2", step: 0 });
		// The calls after the refused one were not made.
		expect(existsSync(box.outside("place/later"))).toBe(false);
		expect(open.closed).toBe(false);
		box.task.run(() => statx(open));
		open.close();
		const program = box.task.batch(() => {
			other.unmount();
			box.task.exec("true", ["true"]);
		});
		await expect(program).rejects.toMatchObject({ code: "EPERM", syscall: "umount2", step: 0 });
		expect(refusal(() => made[Symbol.dispose]())).toMatchObject({ code: "EPERM", syscall: "umount2" });
		expect([made.closed, isMounted(box, place)]).toEqual([true, true]);
		other.close();
	});
});

describe("without /proc", () => {
	for (const [kind, cover] of [
		["a tmpfs covers /proc", () => mount("cover", "/proc", "tmpfs")],
		["nothing is mounted on /proc", () => umount("/proc", { flags: ["detach"] })],
	] as const) {
		// Only the namespace that has mounted the proc may unmount it.
		const { test } = kind.startsWith("nothing") ? needs("root") : needs();
		test(`${kind}: a directory ends through the working directory, which is put back`, async () => {
			await using box = await sandbox();
			const place = box.folder("place");
			const before = openNumbers(box.task);
			box.task.run(() => {
				cover();
				chdir("/usr");
				using made = label().attach(place);
				mount("top", place, "tmpfs");
				expect(made.closed).toBe(false);
			});
			expect(isMounted(box, place)).toBe(false);
			expect([workingDirectory(box.task), openNumbers(box.task)]).toEqual(["/usr", before]);
		});
	}

	test("the working directory is put back where its name is gone", async () => {
		await using box = await sandbox();
		const [place, gone] = [box.folder("place"), box.folder("gone")];
		box.task.run(() => {
			mount("cover", "/proc", "tmpfs");
			chdir(gone);
			using before = openat2(".", { flags: ["path"] });
			rmdirSync(box.outside("gone"));
			label().attach(place)[Symbol.dispose]();
			expect(isMounted(box, place)).toBe(false);
			using after = openat2(".", { flags: ["path"] });
			expect(statx(after).ino).toBe(statx(before).ino);
		});
	});

	test("the working directory is put back where it may be searched only, and otherwise nothing is unmounted", async () => {
		await using box = await sandbox();
		const [place, folder] = [box.folder("place"), box.folder("folder")];
		const [first, second] = box.task.run(() => {
			mount("cover", "/proc", "tmpfs");
			chdir(folder);
			return [label().attach(place), label().attach(place)];
		});
		dropCapabilities(box.task, ["SYS_ADMIN"]);
		chmodSync(box.outside("folder"), 0o111);
		second?.[Symbol.dispose]();
		expect([isMounted(box, place), workingDirectory(box.task)]).toEqual([true, folder]);
		chmodSync(box.outside("folder"), 0);
		expect(refusal(() => first?.[Symbol.dispose]())).toMatchObject({ code: "EACCES" });
		expect([isMounted(box, place), first?.closed, workingDirectory(box.task)]).toEqual([true, true, folder]);
	});

	test("a mount of a file is ENOENT with a hint, and the descriptor is closed", async () => {
		await using box = await sandbox();
		const [file, target] = [box.file("file"), box.file("target")];
		box.task.run(() => {
			mount("cover", "/proc", "tmpfs");
			const bound = openTree(file, { flags: ["clone"] }).attach(target);
			expect(refusal(() => bound[Symbol.dispose]())).toMatchObject({
				code: "ENOENT",
				syscall: "umount2",
				hint: expect.stringContaining("/proc"),
			});
			expect([bound.closed, isMounted(box, target)]).toEqual([true, true]);
		});
	});

	test("in a batch a mount from before is ENOENT with a hint", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const made = box.task.run(() => {
			mount("cover", "/proc", "tmpfs");
			return label().attach(place);
		});
		const batch = box.task.batch(() => {
			openat2("/").close();
			made.unmount();
		});
		await expect(batch).rejects.toMatchObject({
			code: "ENOENT",
			syscall: "umount2",
			step: 2,
			hint: expect.stringContaining("/proc"),
		});
		made[Symbol.dispose]();
		expect(isMounted(box, place)).toBe(false);
	});

	test("a file system that looks like a /proc does not lead to another mount", async () => {
		await using box = await sandbox();
		const [place, other] = [box.folder("place"), box.folder("other")];
		const [file, target] = [box.file("file"), box.file("target")];
		const made = box.task.run(() => {
			mount("other", other, "tmpfs");
			return label().attach(place);
		});
		const bound = box.task.run(() => openTree(file, { flags: ["clone"] }).attach(target));
		box.task.run(() => mount("hostile", "/proc", "tmpfs"));
		const self = `/proc/${box.task.pid}/root/proc/self/fd`;
		mkdirSync(self, { recursive: true });
		symlinkSync(other, `${self}/${made.fd}`);
		symlinkSync(other, `${self}/${bound.fd}`);
		await expect(box.task.batch(() => made.unmount())).rejects.toMatchObject({ code: "ENOENT", syscall: "umount2" });
		expect([isMounted(box, place), isMounted(box, other)]).toEqual([true, true]);
		made[Symbol.dispose]();
		expect([isMounted(box, place), isMounted(box, other)]).toEqual([false, true]);
		expect(refusal(() => bound[Symbol.dispose]())).toMatchObject({ code: "ENOENT", syscall: "umount2" });
		expect([isMounted(box, target), isMounted(box, other)]).toEqual([true, true]);
	});
});

test("a mount that is collected unclosed is reported, and stays", async () => {
	const { report, code, stderr } = await runFixture("mount/collected", { node: ["--expose-gc"] });
	expect([code, report], stderr).toEqual([0, { warnings: ["NearfarLeakWarning"], mounted: true }]);
});

test("near, a mount is attached, covered and ended, and without a procfs no other mount is touched", async () => {
	await using box = await sandbox();
	const [fixture, place] = [fixturePath("mount/near-mount"), box.folder("place")];
	await box.task.exec(process.execPath, [process.execPath, fixture, place]).check();
});

test("ENOSYS and EPERM of a filter reach the caller with a hint, and not as another call's error (util-linux #2413, PR 2197)", async () => {
	const calls: Record<string, [number, (task: Task, made: { context: FsContext; tree: Mount }) => unknown]> = {
		fsopen: [430, () => fsopen("tmpfs")],
		fsconfig: [431, (_, { context }) => context.setFlag("ro")],
		fsmount: [432, (_, { context }) => fsmount(context)],
		open_tree: [428, () => openTree("/", { flags: ["clone"] })],
		open_tree_attr: [467, () => openTree("/", { flags: ["clone"], set: ["rdonly"] })],
		move_mount: [429, (_, { tree }) => tree.attach("/")],
	};
	for (const [syscall, [number, call]] of Object.entries(calls)) {
		for (const [code, errno] of [
			["ENOSYS", 38],
			["EPERM", 1],
		] as const) {
			await using task = await Task.clone(ownMounts);
			const made = task.run(() => ({ context: fsopen("tmpfs").create(), tree: label() }));
			forbid(task, number, errno);
			const error = task.run(() => refusal(() => call(task, made)));
			expect(error).toMatchObject({ code, syscall, hint: expect.any(String) });
			made.context.close();
			made.tree.close();
		}
	}
});

test("at every limit of descriptors, create, openTree and attach fail with EMFILE and leave nothing", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	const [open, before] = [openNumbers(box.task), mountinfo(box.task)];
	const lowest = Math.max(...open.map(Number).filter((number) => number < 50)) + 1;
	const limited = (limit: number, fn: () => void) => {
		limitDescriptors(box.task, limit);
		return box.task.run(() => refusal(fn).code);
	};
	const helpers: [number, () => void][] = [
		[2, () => label().attach(place)[Symbol.dispose]()],
		[1, () => openTree("/usr", { flags: ["clone"] }).close()],
		[
			2,
			() =>
				openTree("/usr", { flags: ["clone", "recursive"] })
					.attach(place)
					[Symbol.dispose](),
		],
	];
	for (const [needed, helper] of helpers) {
		const codes = new Set<string | undefined>();
		for (let limit = lowest; limit < lowest + needed + 2; limit++) codes.add(limited(limit, helper));
		expect([...codes].filter(Boolean)).toEqual(["EMFILE"]);
		limited(1024, () => {});
		expect([openNumbers(box.task), mountinfo(box.task)]).toEqual([open, before]);
	}
});

test("a task that is killed while it makes mounts leaves nothing outside", async () => {
	const before = readFileSync("/proc/self/mountinfo", "utf8");
	for (let index = 0; index < 10; index++) {
		await using box = await sandbox();
		const place = box.folder("place");
		const batch = box.task.batch(() => {
			for (let number = 0; number < 10; number++) label().attach(place)[Symbol.dispose]();
		});
		box.task.process.kill("SIGKILL");
		expect(
			await batch.then(
				() => "done",
				(error: NodeJS.ErrnoException) => error.code,
			),
		).toMatch(/done|ERR_NEARFAR_TASK_GONE/);
	}
	expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
	expect(FileDescriptor.prototype).toBeInstanceOf(Object);
});

test("a mount ends where it was attached, also if another task with the same descriptors is elsewhere", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	await using other = await box.task.clone({ share: ["files"] });
	other.syscall(SYS_unshare, CLONE_NEWNS); // a copy of all mounts
	const tied = box.task.run(() => label().attach(place));
	other.run(() => tied[Symbol.dispose]());
	expect(isMounted(box, place)).toBe(false);
});

test("attach refuses setGroup, with which the kernel attaches nothing", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		using mount = label();
		const refused = refusal(() => mount.attach(place, { flags: ["setGroup"] }));
		expect(refused).toMatchObject({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
	});
});
