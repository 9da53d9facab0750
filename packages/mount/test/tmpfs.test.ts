import { closeSync, openSync, statSync, writeFileSync } from "node:fs";
import { Task } from "@nearfar/core";
import { fspick, type TmpfsOptions, tmpfs } from "@nearfar/mount";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { forbid } from "../../../test/seccomp.ts";
import { mountAt, ownMounts, sandbox, traces } from "./sandbox.ts";

const [SYS_fsopen, ENOSYS] = [430, 38];

describe("MNT-15 options of tmpfs", () => {
	test("MNT-15, nsjail #71: size is the limit", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		box.task.run(() => tmpfs(place, { size: 65_536 }));
		writeFileSync(box.outside("place/full"), Buffer.alloc(65_536));
		const more = openSync(box.outside("place/more"), "w");
		expect(refusal(() => writeFileSync(more, "x"))).toMatchObject({ code: "ENOSPC" });
		closeSync(more);
	});

	test("MNT-15 inodes are the limit", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		box.task.run(() => tmpfs(place, { inodes: 3 })); // the root is one
		box.file("place/first");
		box.file("place/second");
		expect(refusal(() => box.file("place/third"))).toMatchObject({ code: "ENOSPC" });
	});

	test("MNT-15 a mode is octal for the kernel", async () => {
		await using box = await sandbox();
		const [place, other] = [box.folder("place"), box.folder("other")];
		box.task.run(() => {
			tmpfs(place, { mode: 0o701 });
			tmpfs(other);
		});
		expect(statSync(box.outside("place")).mode & 0o7777).toBe(0o701);
		expect(statSync(box.outside("other")).mode & 0o7777).toBe(0o1777);
	});

	test.each([
		["64k", "size=64k"],
		["3m", "size=3072k"],
		["1g", "size=1048576k"],
		[65_536, "size=64k"],
		[1, expect.stringMatching(/^size=(4|16|64)k$/)], // a page
		[Number.MAX_SAFE_INTEGER, "size=8796093022208k"],
		["7e", "size=7881299347898368k"],
	])("MNT-15 size %s becomes %s", async (size, shown) => {
		await using box = await sandbox();
		const place = box.folder("place");
		box.task.run(() => tmpfs(place, { size }));
		expect(mountAt(box.task, place)?.data.split(",")).toEqual(expect.arrayContaining([shown]));
	});

	test("MNT-15 a percentage of the memory, and huge pages", async () => {
		await using box = await sandbox();
		const [place, other] = [box.folder("place"), box.folder("other")];
		box.task.run(() => {
			tmpfs(place, { size: "1%", inodes: "2k", gid: 0, uid: 0 });
			tmpfs(other, { huge: "never" });
		});
		expect(mountAt(box.task, place)?.data).toMatch(/size=[1-9]\d*k,nr_inodes=2048/);
	});

	test("MNT-15 what the kernel does not know is EINVAL with its reason in the log", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		const before = traces(box.task);
		for (const data of ["bogus", "size=-1", "nosuid"]) {
			const refused = box.task.run(() => refusal(() => tmpfs(place, { data })));
			const log = [expect.any(String)];
			expect(refused).toMatchObject({ code: "EINVAL", syscall: "fsconfig", log });
			expect(traces(box.task)).toEqual(before);
		}
	});

	test("MNT-15 data follows the options and is not checked: 0 there means without a limit", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		box.task.run(() => tmpfs(place, { size: "64k", data: { size: 0 } }));
		writeFileSync(box.outside("place/large"), Buffer.alloc(1 << 20));
	});

	test("MNT-15 a size below what is in use is EINVAL", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		box.task.run(() => tmpfs(place, { size: "64k" }));
		writeFileSync(box.outside("place/file"), Buffer.alloc(65_536));
		box.task.run(() => {
			using context = fspick(place).setString("size", "4k");
			expect(refusal(() => context.reconfigure())).toMatchObject({ code: "EINVAL", syscall: "fsconfig" });
		});
	});
});

describe("owners", () => {
	needs("root").test("uid and gid own the root", async () => {
		await using box = await sandbox();
		const place = box.folder("place");
		box.task.run(() => tmpfs(place, { uid: 5, gid: 4_294_967_294 }));
		expect(statSync(box.outside("place"))).toMatchObject({ uid: 5, gid: 4_294_967_294 });
	});

	test.each([{ uid: 77 }, { gid: 77 }])("%j that a user namespace does not map is EINVAL with a log", async (owner) => {
		await using box = await sandbox({ namespaces: ["user", "mnt"], idMap: "root" });
		const place = box.folder("place");
		const before = traces(box.task);
		const refused = box.task.run(() => refusal(() => tmpfs(place, owner)));
		expect(refused).toMatchObject({
			code: "EINVAL",
			syscall: "fsconfig",
			log: [expect.stringMatching(/77|Bad value for/)],
		});
		expect(traces(box.task)).toEqual(before);
	});
});

needs("root", "Linux 6.4").test("noswap is allowed for the most privileged user namespace alone", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => tmpfs(place, { noswap: true }));
	expect(mountAt(box.task, place)?.data).toContain("noswap");
	await using task = await box.task.clone({ namespaces: ["user", "mnt"], idMap: "root" });
	const refused = task.run(() => refusal(() => tmpfs(place, { noswap: true })));
	expect(refused).toMatchObject({ code: "EINVAL", syscall: "fsconfig", log: [expect.any(String)] });
	task.run(() => tmpfs(place, { noswap: false }));
});

describe("MNT-16, nsjail #71: wrong amounts are refused before any call", () => {
	let task: Task;
	beforeAll(async () => {
		task = await Task.clone(ownMounts);
		forbid(task, SYS_fsopen, ENOSYS);
	});
	afterAll(() => task[Symbol.asyncDispose]());
	const amounts: unknown[] = [0, -1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, -0];
	const texts: unknown[] = ["", "0", "-1", "0k", "01", "1.5m", "m", "1 m", " 1m", "1m,mode=0", "1mb", "1K", "1%%", "٣"];
	const types: unknown[] = [1n, true, null, {}, ["1m"]];
	const rows: [string, TmpfsOptions, string][] = [
		...amounts.map((value) => ["ERR_OUT_OF_RANGE", value] as const),
		...texts.map((value) => ["ERR_INVALID_ARG_VALUE", value] as const),
		...types.map((value) => ["ERR_INVALID_ARG_TYPE", value] as const),
	].flatMap(([code, value]) => [
		["size", { size: value } as never, code],
		["inodes", { inodes: value } as never, code],
	]);
	rows.push(
		["size", { size: "8e" }, "ERR_OUT_OF_RANGE"],
		["size", { size: "9223372036854775808" }, "ERR_OUT_OF_RANGE"],
		["size", { size: "99999999999999999999999999999999999" }, "ERR_OUT_OF_RANGE"],
		["size", { size: "10001%" }, "ERR_OUT_OF_RANGE"],
		["inodes", { inodes: "1%" }, "ERR_INVALID_ARG_VALUE"],
		["inodes", { inodes: "8p" }, "ERR_OUT_OF_RANGE"],
		["mode", { mode: 0o10000 }, "ERR_OUT_OF_RANGE"],
		["mode", { mode: "700" as never }, "ERR_INVALID_ARG_TYPE"],
		["uid", { uid: -1 }, "ERR_OUT_OF_RANGE"],
		["uid", { uid: 2 ** 32 - 1 }, "ERR_OUT_OF_RANGE"],
		["gid", { gid: 1.5 }, "ERR_OUT_OF_RANGE"],
		["huge", { huge: "sometimes" as never }, "ERR_INVALID_ARG_VALUE"],
		["noswap", { noswap: 1 as never }, "ERR_INVALID_ARG_TYPE"],
	);
	test.each(rows)("%s: %o is %s", (_, options, code) => {
		expect(task.run(() => refusal(() => tmpfs("/missing", options)).code)).toBe(code);
		expect(task.run(() => refusal(() => tmpfs(null, options)).code)).toBe(code);
	});
});
