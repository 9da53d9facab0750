import { chownSync, existsSync, readFileSync, statSync, symlinkSync } from "node:fs";
import {
	type FileDescriptor,
	Location,
	mkdir,
	openat2,
	readdir,
	rename,
	rmdir,
	type SyscallError,
	Task,
	unlink,
} from "@nearfar/core";
import { currentTask, entersNamespaces, namespaceFlags, native } from "@nearfar/core/internal";
import { bind, type Mount, moveMount, type OverlayOptions, openTree, overlay, tmpfs } from "@nearfar/mount";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixturePath } from "../../../test/fixture.ts";
import { has, needs } from "../../../test/needs.ts";
import { reason } from "../../../test/reason.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { type Layers, layers } from "./layers.ts";
import { mountsOf, ownMounts, traces } from "./sandbox.ts";

const SYS_fsopen = 430;
const ENOSYS = 38;
const inUserNamespace = { namespaces: ["user", "mnt"], idMap: "root" } as const;
const latest = needs("the file system overlay", "Linux 6.13");

/** Makes an empty file with calls of the current task. */
const touch = (path: string) => openat2(path, { flags: ["creat", "wronly"], mode: 0o644 }).close();

/** Makes a lower directory that holds a directory with a file: `dir/file`. */
function lowerWithFolder(box: Layers): string {
	box.folder("lower/dir");
	box.file("lower/dir/file");
	return box.inside("lower");
}

latest.describe("what the overlay shows and writes", () => {
	test("the first lower layer is the topmost, and changes go to the upper one", async () => {
		await using box = await layers();
		const { upper, work, place } = box;
		const lower = [box.layer("top", "same"), box.layer("bottom", "same"), box.layer("third")];
		box.task.run(() => overlay(place, { lower, upper, work }));
		expect(box.shown()).toEqual(["same", "third"]);
		expect(readFileSync(box.outside("place/same"), "utf8")).toBe("top");
		box.task.run(() => {
			touch(`${place}/new`);
			unlink(`${place}/third`);
		});
		expect(box.shown()).toEqual(["new", "same"]);
		expect(existsSync(box.outside("upper/new"))).toBe(true);
		expect(existsSync(box.outside("third/third"))).toBe(true);
		expect(box.mounted()).toMatchObject({ type: "overlay", source: "overlay" });
	});

	test("two lower layers without an upper one cannot be written", async () => {
		await using box = await layers();
		const lower = [box.layer("one"), box.layer("two")];
		box.task.run(() => overlay(box.place, { lower }));
		expect(box.shown()).toEqual(["one", "two"]);
		expect(box.task.run(() => refusal(() => touch(`${box.place}/new`)))).toMatchObject({ code: "EROFS" });
	});

	test("attributes, the source, parameters and volatile are those that were asked for", async () => {
		await using box = await layers();
		const { upper, work, place } = box;
		box.task.run(() =>
			overlay(place, {
				lower: [box.layer("one")],
				upper,
				work,
				source: "image",
				volatile: true,
				data: { xino: "off" },
				set: ["nosuid", "nodev"],
				atime: "noatime",
				propagation: "unbindable",
				exclusive: true,
			}),
		);
		expect(box.mounted()).toMatchObject({
			source: "image",
			options: ["rw", "nosuid", "nodev", "noatime"],
			propagation: ["unbindable"],
			data: expect.stringMatching(/(fsync=)?volatile/),
		});
	});

	test("with null the mount is detached, and ends with its scope when it is attached", async () => {
		await using box = await layers();
		const lower = [box.layer("one"), box.layer("two")];
		const before = traces(box.task);
		box.task.run(() => {
			using detached = overlay(null, { lower });
			expect(traces(box.task).mounts).toBe(before.mounts);
			using root = detached.open("");
			expect(readdir(root).map(({ name }) => name)).toEqual(expect.arrayContaining(["one", "two"]));
			detached.attach(box.place);
			expect(box.shown()).toEqual(["one", "two"]);
		});
		expect(traces(box.task)).toEqual(before);
	});

	test("with a target no descriptor stays, and what fails leaves nothing", async () => {
		await using box = await layers();
		const lower = [box.layer("one"), box.layer("two")];
		const before = traces(box.task);
		const file = box.file("file");
		for (const target of [file, box.inside("missing")]) {
			const refused = box.task.run(() => refusal(() => overlay(target, { lower })));
			expect(refused).toMatchObject({ syscall: "move_mount", dest: target });
			expect(String(refused)).toContain(target);
		}
		expect(traces(box.task)).toEqual(before);
		box.task.run(() => overlay(box.place, { lower }));
		expect(traces(box.task).descriptors).toBe(before.descriptors);
	});

	test("a link at the target is not followed, except through a Location", async () => {
		await using box = await layers();
		const lower = [box.layer("one"), box.layer("two")];
		symlinkSync("place", box.outside("link"));
		box.task.run(() => {
			const link = box.inside("link");
			expect(refusal(() => overlay(link, { lower }))).toMatchObject({ code: "EINVAL", syscall: "move_mount" });
			overlay(new Location(undefined, link), { lower });
			using place = openat2(box.place, { flags: ["path"] });
			overlay(place, { lower, source: "second" });
		});
		expect(mountsOf(box.task).filter(({ at }) => at === box.place)).toMatchObject([
			{ source: "overlay" },
			{ source: "second" },
		]);
	});

	test("in a batch, with a detached mount of the batch as a layer", async () => {
		await using box = await layers();
		const { upper, work, place } = box;
		const lower = box.layer("one");
		const before = traces(box.task).descriptors;
		await box.task.batch(() => {
			using copy = openTree(lower, { flags: ["clone"] });
			overlay(place, { lower: [copy], upper, work });
		});
		expect(box.shown()).toEqual(["one"]);
		expect(traces(box.task).descriptors).toBe(before);
		const kept: Mount = await box.task.batch(() => overlay(null, { lower: [lower, upper] }));
		box.task.run(() => {
			moveMount(kept, place);
			kept.close();
		});
		expect(mountsOf(box.task).filter(({ at }) => at === place)).toHaveLength(2);
	});

	test("a batch that fails after the overlay leaves neither a mount nor a descriptor", async () => {
		await using box = await layers();
		const lower = [box.layer("one"), box.layer("two")];
		const before = traces(box.task);
		const failing = box.task.batch(() => {
			const detached = overlay(null, { lower });
			openat2("/missing");
			detached.attach(box.place);
		});
		await expect(failing).rejects.toMatchObject({ code: "ENOENT", syscall: "openat2", path: "/missing" });
		const refused = (await reason(() =>
			box.task.batch(() => overlay(box.place, { lower, data: { nosuid: true } })),
		)) as SyscallError;
		expect(refused).toMatchObject({ code: "EINVAL", syscall: "fsconfig", log: [expect.stringContaining("nosuid")] });
		expect(traces(box.task)).toEqual(before);
	});
});

latest.describe("layers by descriptor", () => {
	test("open directories and detached mounts are layers, and stay the caller's", async () => {
		await using box = await layers();
		const { place, work } = box;
		const one = box.layer("one");
		box.folder("scratch");
		box.task.run(() => {
			using open = openat2(one, { flags: ["path", "directory"] });
			using readable = openat2(box.layer("two"));
			using copy = openTree(box.layer("three"), { flags: ["clone"] });
			overlay(place, {
				lower: [open, readable, copy, new Location(copy, "."), new Location(open)].slice(0, 3),
				upper: box.upper,
				work,
			});
			for (const fd of [open, readable, copy]) expect(fd.closed).toBe(false);
		});
		expect(box.shown()).toEqual(["one", "three", "two"]);
	});

	test("upper and work in a detached tmpfs, which nobody can reach by a name", async () => {
		await using box = await layers();
		const lower = [box.layer("one")];
		box.task.run(() => {
			using scratch = tmpfs(null);
			for (const name of ["upper", "work"]) mkdir(new Location(scratch, name));
			overlay(box.place, { lower, upper: new Location(scratch, "upper"), work: new Location(scratch, "work") });
		});
		box.task.run(() => touch(`${box.place}/new`));
		expect(box.shown()).toEqual(["new", "one"]);
	});

	test("moby #40939, bubblewrap PR 547: names with separators, quotes, newlines, and no UTF-8", async () => {
		await using box = await layers();
		const names = ["a:b", "c,d", "e\\f", 'g"h', "i\nj", "k\\:l", " m ", "n%o", "-p", "q".repeat(255), "\u{1f600}"];
		const lower: (string | Buffer)[] = names.map((name, index) => box.layer(name, `file${index}`));
		const bytes = Buffer.concat([Buffer.from(box.inside("")), Buffer.from([0x2f, 0xff, 0xfe, 0x3a, 0x80])]);
		box.task.run(() => {
			mkdir(bytes);
			touchIn(bytes, "bytes");
		});
		lower.push(bytes);
		const [upper, work] = [box.folder('up:,\\"\nper'), box.folder('wo:,\\"\nrk')];
		box.task.run(() => {
			overlay(box.place, { lower, upper, work });
			touch(`${box.place}/new`);
		});
		expect(box.shown()).toEqual(["bytes", ...names.map((_, index) => `file${index}`), "new"].sort());
		expect(existsSync(box.outside('up:,\\"\nper/new'))).toBe(true);
	});

	test("util-linux #1992, spack #1163: paths of layers of 4000 bytes", async () => {
		await using box = await layers();
		const deep = Array.from({ length: 15 }, (_, index) => `${index}`.padEnd(250, "x")).join("/");
		box.folder(deep);
		const lower = ["one", "two"].map((name) => box.layer(`${deep}/${name}`, name));
		box.task.run(() => overlay(box.place, { lower }));
		expect(box.shown()).toEqual(["one", "two"]);
		const long = `${box.inside(deep)}/${"y".repeat(400)}`;
		expect(box.task.run(() => refusal(() => overlay(box.place, { lower: [long, long] })))).toMatchObject({
			code: "ENAMETOOLONG",
			syscall: "openat2",
			path: long,
		});
	});

	test("NMA-29, e2b PR 836: 500 layers, of which the first is the topmost; 501 are refused, as the log says", async () => {
		await using box = await layers();
		const lower = Array.from({ length: 501 }, (_, index) => box.layer(`layer${index}`, "same"));
		const before = traces(box.task);
		const refused = box.task.run(() => refusal(() => overlay(box.place, { lower })));
		expect(refused).toMatchObject({ code: "EINVAL", syscall: "fsconfig", log: [expect.stringContaining("500")] });
		expect(traces(box.task)).toEqual(before);
		box.task.run(() => overlay(box.place, { lower: lower.slice(0, 500), upper: box.upper, work: box.work }));
		expect(readFileSync(box.outside("place/same"), "utf8")).toBe("layer0");
		expect(traces(box.task).descriptors).toBe(before.descriptors);
	});

	test("500 layers in a batch", async () => {
		await using box = await layers();
		const lower = Array.from({ length: 500 }, (_, index) => box.layer(`layer${index}`));
		await box.task.batch(() => overlay(box.place, { lower }));
		expect(box.shown()).toHaveLength(500);
	});

	test("a link to a layer is followed, unless a Location says no", async () => {
		await using box = await layers();
		const one = box.layer("one");
		symlinkSync(box.layer("two"), box.outside("link"));
		const link = box.inside("link");
		box.task.run(() => {
			overlay(box.place, { lower: [one, link] });
			const unfollowed = new Location(undefined, link, { symlinks: false });
			const refused = refusal(() => overlay(box.place, { lower: [one, unfollowed] }));
			expect(refused).toMatchObject({ code: "ENOTDIR", syscall: "openat2", path: link });
		});
		expect(box.shown()).toEqual(["one", "two"]);
	});
});

/** Makes an empty file in a directory whose name is bytes. */
function touchIn(folder: Buffer, name: string): void {
	openat2(Buffer.concat([folder, Buffer.from(`/${name}`)]), { flags: ["creat", "wronly"], mode: 0o644 }).close();
}

latest.describe("NMA-31: layers that the kernel refuses", () => {
	let box: Layers;
	beforeAll(async () => {
		box = await layers();
		for (const name of ["lower", "other", "upper/inside", "lower/inside"]) box.folder(name);
		box.file("file");
	});
	afterAll(() => box[Symbol.asyncDispose]());
	test.each<[string, code: string, syscall: string, path: string | undefined, options: () => OverlayOptions]>([
		["a missing lower layer", "ENOENT", "openat2", "missing", () => ({ lower: at("lower", "missing") })],
		["a missing upper layer", "ENOENT", "openat2", "missing", () => written("missing", "work")],
		["a missing work directory", "ENOENT", "openat2", "missing", () => written("upper", "missing")],
		["a file as a layer", "ENOTDIR", "openat2", "file", () => ({ lower: at("lower", "file") })],
		["the same layer twice", "ELOOP", "fsconfig", undefined, () => ({ lower: at("lower", "lower") })],
		["a layer below another one", "ELOOP", "fsconfig", undefined, () => ({ lower: at("lower", "lower/inside") })],
		["lower is upper", "ELOOP", "fsconfig", undefined, () => ({ ...written("lower", "work") })],
		["work inside of upper", "EINVAL", "fsconfig", undefined, () => written("upper", "upper/inside")],
		["upper is work", "EINVAL", "fsconfig", undefined, () => written("upper", "upper")],
	])("%s is %s", (_, code, syscall, path, options) => {
		const before = traces(box.task);
		const refused = box.task.run(() => refusal(() => overlay(box.place, options())));
		expect(refused).toMatchObject({ code, syscall, ...(path && { path: box.inside(path) }) });
		expect(traces(box.task)).toEqual(before);
	});

	test("a descriptor of a file is EINVAL with a log that names the file", () => {
		box.task.run(() => {
			using file = openat2(box.inside("file"), { flags: ["path"] });
			const refused = refusal(() => overlay(box.place, { lower: [file, box.inside("lower")] }));
			expect(refused).toMatchObject({ code: "EINVAL", syscall: "fsconfig", log: [expect.stringContaining("file")] });
		});
	});

	const at = (...names: string[]) => names.map((name) => box.inside(name));
	const written = (upper: string, work: string) => ({
		lower: at("lower"),
		upper: box.inside(upper),
		work: box.inside(work),
	});
});

describe("wrong arguments are refused before any call", () => {
	let task: Task;
	let foreign: FileDescriptor;
	beforeAll(async () => {
		task = await Task.clone(ownMounts);
		forbid(task, SYS_fsopen, ENOSYS);
		foreign = openat2("/", { flags: ["path"] });
	});
	afterAll(async () => {
		foreign.close();
		await task[Symbol.asyncDispose]();
	});
	const [value, type, range] = ["ERR_INVALID_ARG_VALUE", "ERR_INVALID_ARG_TYPE", "ERR_OUT_OF_RANGE"];
	const two = ["/a", "/b"];
	test.each<[string, unknown, code: string | undefined]>([
		["no options", undefined, type],
		["no lower layer", {}, type],
		["an empty list", { lower: [] }, value],
		["an empty list with upper", { lower: [], upper: "/u", work: "/w" }, value],
		["data-only layers alone", { lower: [], dataOnly: two }, value],
		["libmount::Overlay: one lower layer alone", { lower: ["/a"] }, value],
		["upper without work", { lower: two, upper: "/u" }, value],
		["work without upper", { lower: two, work: "/w" }, value],
		["a path instead of a list", { lower: "/a:/b" }, type],
		["a number as a layer", { lower: ["/a", 1] }, type],
		["a NUL byte in a layer", { lower: ["/a", "/b\0c"] }, value],
		["a NUL byte in upper", { lower: two, upper: "/u\0", work: "/w" }, value],
		["a descriptor of another table", { lower: [two[0], () => foreign] }, "ERR_NEARFAR_FD_TABLE_MISMATCH"],
		["dataOnly that is no list", { lower: two, dataOnly: "/d" }, type],
		["volatile that is no boolean", { lower: two, volatile: "yes" }, type],
		["userxattr that is no boolean", { lower: two, userxattr: 1 }, type],
		["an unknown option", { lower: two, lowerdir: "/a" }, value],
		["an unknown attribute", { lower: two, set: ["nosu"] }, value],
		["an id map without a namespace", { lower: two, set: ["idmap"] }, value],
		["a parameter of 256 bytes", { lower: two, data: { xino: "x".repeat(256) } }, range],
		["a source with a NUL byte", { lower: two, source: "a\0" }, value],
	])("%s", (_, options, code) => {
		const given = options as { lower?: unknown };
		if (Array.isArray(given?.lower)) given.lower = given.lower.map((one) => (typeof one === "function" ? one() : one));
		for (const target of ["/missing", null] as const) {
			const refused = task.run(() => refusal(() => overlay(target as never, options as never)));
			expect(refused.code).toBe(code);
			expect(refused instanceof TypeError || refused instanceof RangeError || code?.startsWith("ERR_NEARFAR")).toBe(
				true,
			);
		}
	});

	test("a wrong target is a TypeError", () => {
		for (const target of [1, undefined, {}, "a\0b"]) {
			expect(task.run(() => refusal(() => overlay(target as never, { lower: two })))).toBeInstanceOf(TypeError);
		}
	});

	test("the calls that are forbidden are ENOSYS with a hint", () => {
		const refused = task.run(() => refusal(() => overlay(null, { lower: two })));
		expect(refused).toMatchObject({ code: "ENOSYS", syscall: "fsopen", hint: expect.stringContaining("seccomp") });
	});
});

latest.describe("userxattr", () => {
	test("containerd #5060: by default, in a user namespace, replacing a directory works and a rename across layers is EXDEV", async () => {
		await using box = await layers(inUserNamespace);
		const { upper, work, place } = box;
		const lower = [lowerWithFolder(box)];
		box.task.run(() => {
			overlay(place, { lower, upper, work });
			expect(refusal(() => rename(`${place}/dir`, `${place}/moved`))).toMatchObject({ code: "EXDEV" });
			unlink(`${place}/dir/file`);
			rmdir(`${place}/dir`);
			mkdir(`${place}/dir`);
			touch(`${place}/dir/new`);
			rename(`${place}/dir/new`, `${place}/dir/newer`);
			expect(readdir(`${place}/dir`).map(({ name }) => name)).toEqual(["newer"]);
		});
		expect(box.mounted()?.data).toContain("userxattr");
	});

	test("gvisor #14033: userxattr: false is possible, and replacing a directory is EIO in a user namespace", async () => {
		await using box = await layers(inUserNamespace);
		const { upper, work, place } = box;
		const lower = [lowerWithFolder(box)];
		box.task.run(() => {
			mkdir(`${lower[0]}/empty`);
			overlay(place, { lower, upper, work, userxattr: false });
			rmdir(`${place}/empty`);
			expect(refusal(() => mkdir(`${place}/empty`))).toMatchObject({ code: "EIO" });
			unlink(`${place}/dir/file`);
			expect(refusal(() => rmdir(`${place}/dir`))).toMatchObject({ code: "EIO" });
		});
		expect(box.mounted()?.data).not.toContain("userxattr");
	});

	needs("root").test(
		"the first user namespace has trusted attributes by default, and userxattr: true is possible",
		async () => {
			await using box = await layers();
			const { upper, work, place } = box;
			const lower = [lowerWithFolder(box)];
			box.task.run(() => overlay(place, { lower, upper, work }));
			expect(box.mounted()?.data).not.toContain("userxattr");
			box.task.run(() => overlay(place, { lower: [...lower, box.layer("second")], userxattr: true }));
			expect(box.mounted()?.data).toContain("userxattr");
		},
	);

	needs("root").test("a user namespace that a batch makes counts for the overlay of the same batch", async () => {
		await using box = await layers();
		const lower = [box.layer("one"), box.layer("two")];
		await box.task.batch(() => {
			native().unshare(namespaceFlags.user | namespaceFlags.mnt);
			entersNamespaces(currentTask(), ["user", "mnt"]);
			overlay(box.place, { lower });
		});
		expect(box.mounted()?.data).toContain("userxattr");
	});

	test("a task that is cloned from one with a user namespace has the default of it", async () => {
		await using box = await layers(inUserNamespace);
		await using inner = await box.task.clone({ namespaces: ["mnt"] });
		const lower = [box.layer("one"), box.layer("two")];
		inner.run(() => overlay(box.place, { lower }));
		expect(mountsOf(inner).at(-1)?.data).toContain("userxattr");
	});
});

latest.describe("bubblewrap #685, and what the documentation says besides", () => {
	test("upper and work below the lower layer work, as when the root is the lower one", async () => {
		await using box = await layers();
		const { upper, work, place } = box;
		box.task.run(() => {
			overlay(place, { lower: [box.inside("")], upper, work });
			touch(`${place}/new`);
		});
		expect(box.shown()).toContain("new");
		expect(existsSync(box.outside("upper/new"))).toBe(true);
	});

	needs("root").test("upper and work that the task may not write make an overlay that cannot be written", async () => {
		await using box = await layers();
		const { upper, work, place } = box;
		const lower = [box.layer("one")];
		for (const name of ["upper", "work"]) chownSync(box.outside(name), 5, 5);
		await using task = await box.task.clone(inUserNamespace); // the namespace does not map user 5
		task.run(() => {
			overlay(place, { lower, upper, work });
			expect(refusal(() => touch(`${place}/new`))).toMatchObject({ code: "EROFS" });
		});
	});

	test("a layer below which a more privileged namespace has mounted something is EINVAL", async () => {
		await using box = await layers();
		const lower = [box.layer("one"), box.layer("two")];
		const below = box.folder("one/below");
		box.task.run(() => tmpfs(below));
		box.task.run(() => overlay(box.place, { lower }));
		await using task = await box.task.clone(inUserNamespace);
		const refused = task.run(() => refusal(() => overlay(null, { lower })));
		expect(refused).toMatchObject({ code: "EINVAL", syscall: "fsconfig" });
	});

	test("overlays of overlays of overlays are EINVAL", async () => {
		await using box = await layers();
		const [one, two] = [box.layer("one"), box.layer("two")];
		box.task.run(() => {
			using first = overlay(null, { lower: [one, two] });
			using second = overlay(null, { lower: [first, two] });
			expect(refusal(() => overlay(null, { lower: [second, two] }))).toMatchObject({
				code: "EINVAL",
				syscall: "fsconfig",
			});
		});
	});

	test("an upper layer on a read-only mount is EINVAL with a log", async () => {
		await using box = await layers();
		const { upper, work } = box;
		const lower = [box.layer("one")];
		box.task.run(() => {
			bind(upper, upper, { set: ["rdonly"] });
			const refused = refusal(() => overlay(null, { lower, upper, work }));
			expect(refused).toMatchObject({
				code: "EINVAL",
				syscall: "fsconfig",
				log: [expect.stringContaining("read-only")],
			});
		});
	});

	test("work on another mount is EINVAL", async () => {
		await using box = await layers();
		const lower = [box.layer("one")];
		box.task.run(() => {
			tmpfs(box.work);
			const refused = refusal(() => overlay(null, { lower, upper: box.upper, work: box.work }));
			expect(refused).toMatchObject({ code: "EINVAL", syscall: "fsconfig" });
		});
	});

	test("a volatile overlay leaves a mark that refuses the next mount", async () => {
		await using box = await layers();
		const { upper, work } = box;
		const lower = [box.layer("one")];
		box.task.run(() => {
			overlay(null, { lower, upper, work, volatile: true }).close();
			expect(refusal(() => overlay(null, { lower, upper, work }))).toMatchObject({
				code: "EINVAL",
				syscall: "fsconfig",
			});
		});
	});

	test("an overlay that was dissolved leaves a work directory of mode 0, which the task can remove", async () => {
		await using box = await layers();
		const { upper, work } = box;
		const lower = [box.layer("one")];
		box.task.run(() => overlay(null, { lower, upper, work }).close());
		expect(statSync(box.outside("work/work")).mode & 0o777).toBe(0);
		box.task.run(() => {
			rmdir(`${work}/work`);
			overlay(box.place, { lower, upper, work });
		});
	});

	test("a layer that is a copy of a mount keeps the layer below what is mounted on it later", async () => {
		await using box = await layers();
		const one = box.layer("one");
		box.task.run(() => {
			overlay(box.place, { lower: [one, box.layer("two")] });
			bind(box.layer("three"), one);
		});
		expect(box.shown()).toEqual(["one", "two"]);
	});

	needs("Linux 6.16").test("a data-only layer is not seen, and needs metacopy before Linux 6.16", async () => {
		await using box = await layers();
		box.task.run(() =>
			overlay(box.place, { lower: [box.layer("one")], dataOnly: [box.layer("two"), box.layer("three")] }),
		);
		expect(box.shown()).toEqual(["one"]);
		expect(box.mounted()?.data).toContain("datadir+=");
	});
});

needs("an ordinary user").test("an overlay near is this process's own", () => {
	const refused = refusal(() => overlay(null, { lower: ["/usr", "/etc"] }));
	expect(refused).toMatchObject({ code: "EPERM", syscall: "fsopen" });
});

latest.test("an overlay near works where this process may: Node as root of its own mounts", async () => {
	for (const options of [ownMounts, inUserNamespace]) {
		await using box = await layers(options);
		const words = [box.place, box.layer("one"), box.upper, box.work, `${options === inUserNamespace || !has("root")}`];
		const child = box.task.exec(process.execPath, [process.execPath, fixturePath("mount/near-overlay"), ...words]);
		await child.check();
	}
});
