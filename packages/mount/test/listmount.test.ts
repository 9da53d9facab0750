import { openat2, statx, Task } from "@nearfar/core";
import { listmount, mount, mountinfo, openTree, statmount, umount } from "@nearfar/mount";
import { expect } from "vitest";
import { has, needs } from "../../../test/needs.ts";
import { neverOpen, refusal } from "../../../test/refusal.ts";
import { type Sandbox, sandbox } from "./sandbox.ts";

const { test } = needs("Linux 6.8");
const syscall = "listmount";

/** Makes mounts in a directory of its own, and returns their ids in the order in which they were made. */
async function manyMounts(box: Sandbox, count: number): Promise<bigint[]> {
	const places = Array.from({ length: count }, (_, index) => box.folder(`many/${index}`));
	await box.task.batch(() => {
		for (const place of places) mount(box.inside(), place, null, { flags: ["bind"] });
	});
	return box.task.run(() => places.map((place) => statx(place).mountIdUnique ?? 0n));
}

const ascending = (ids: readonly bigint[]) => [...ids].sort((one, other) => Number(one - other));

test("without options all mounts are listed, the root's own included, near and far", async () => {
	await using box = await sandbox();
	for (const task of [Task.near, box.task]) {
		task.run(() => {
			const ids = listmount();
			expect(ids).toEqual(ascending(ids));
			expect(new Set(ids).size).toBe(ids.length);
			expect(ids).toContain(statx("/").mountIdUnique);
			if (has("/proc")) expect(ids).toHaveLength(mountinfo().length);
		});
	}
	expect(box.task.run(() => listmount())).toContain(box.task.run(() => statx(box.inside()).mountIdUnique));
});

test("after the largest id there is no mount, and before it are all", () => {
	expect(listmount({ after: 2n ** 64n - 1n })).toEqual([]);
	if (has("Linux 6.11"))
		expect(listmount({ after: 2n ** 64n - 1n, reverse: true })).toEqual(listmount({ reverse: true }));
});

test("of a mount all mounts below are listed, at any depth, and not itself", async () => {
	await using box = await sandbox();
	const made = ["a", "a/b", "a/b/c", "d"].map((name) => {
		const place = box.folder(name);
		box.task.run(() => mount(name, place, "tmpfs"));
		return box.task.run(() => statx(place).mountIdUnique ?? 0n);
	});
	const [a = 0n, b = 0n, c = 0n] = made;
	box.task.run(() => {
		const self = statx(box.inside()).mountIdUnique ?? 0n;
		using root = openat2(box.inside(), { flags: ["path"] });
		for (const of of [self, box.inside(), root]) expect(listmount({ of })).toEqual(made);
		expect(listmount({ of: a })).toEqual([b, c]);
		expect(listmount({ of: box.inside("a/b") })).toEqual([c]);
		expect(listmount({ of: c })).toEqual([]);
		umount(box.inside("a/b/c"));
		expect(listmount({ of: a })).toEqual([b]);
		expect(refusal(() => listmount({ of: c }))).toMatchObject({ code: "ENOENT", syscall });
	});
});

needs("Linux 6.11").test("STM-06 order and pages: forward, backward, three at a time", async () => {
	await using box = await sandbox();
	const made = await manyMounts(box, 200);
	box.task.run(() => {
		const of = box.inside();
		expect(made).toEqual(ascending(made));
		expect(listmount({ of })).toEqual(made);
		expect(listmount({ of, reverse: false })).toEqual(made);
		expect(listmount({ of, reverse: true })).toEqual(made.toReversed());
		if (has("/proc")) expect(listmount()).toHaveLength(mountinfo().length);
		for (const reverse of [false, true]) {
			const all: bigint[] = [];
			for (let page = listmount({ of, reverse, limit: 3 }); page.length > 0; ) {
				expect(page.length).toBeLessThanOrEqual(3);
				all.push(...page);
				page = listmount({ of, reverse, limit: 3, after: all.at(-1) ?? 0n });
			}
			expect(all).toEqual(reverse ? made.toReversed() : made);
		}
		const [, , third = 0n] = made;
		expect(listmount({ of, after: third })).toEqual(made.slice(3));
		expect(listmount({ of, after: third, reverse: true })).toEqual(made.slice(0, 2).toReversed());
		expect(listmount({ of, limit: 1 })).toEqual(made.slice(0, 1));
		expect(listmount({ of, limit: 0 })).toEqual([]);
		expect(listmount({ of, limit: 10_000 })).toEqual(made);
	});
});

test("rustix #1445 PR 1659: a list longer than one page comes whole, and a limit between two pages holds", async () => {
	await using box = await sandbox();
	const made = await manyMounts(box, 2_050);
	box.task.run(() => {
		const of = box.inside();
		expect(listmount({ of })).toEqual(made);
		if (has("Linux 6.11")) expect(listmount({ of, reverse: true })).toEqual(made.toReversed());
		for (const limit of [1_023, 1_024, 1_025, 2_048, 2_050, 2_051]) {
			expect(listmount({ of, limit })).toEqual(made.slice(0, limit));
		}
		expect(listmount({ of, after: made[1_500] as bigint })).toEqual(made.slice(1_501));
	});
});

test("lisy 8: a list whose mounts go away between two calls ends", async () => {
	await using box = await sandbox();
	const made = await manyMounts(box, 5);
	box.task.run(() => {
		const [first = 0n] = listmount({ of: box.inside(), limit: 1 });
		umount(box.inside("many/0"));
		umount(box.inside("many/1"));
		expect(listmount({ of: box.inside(), after: first })).toEqual(made.slice(2));
		expect(listmount({ of: box.inside(), after: made[4] as bigint })).toEqual([]);
	});
});

test("STM-07 what the kernel refuses", async () => {
	await using box = await sandbox();
	for (const task of [Task.near, box.task]) {
		task.run(() => {
			const refused = (options: Parameters<typeof listmount>[0]) => refusal(() => listmount(options));
			expect(refused({ of: 0n })).toMatchObject({ code: "EINVAL", syscall });
			expect(refused({ of: 2n ** 60n })).toMatchObject({ code: "ENOENT", syscall });
			expect(refused({ of: BigInt(statx("/").mountId ?? 0) })).toMatchObject({ code: "EINVAL", syscall });
			expect(refused({ after: BigInt(statx("/").mountId ?? 0) })).toMatchObject({ code: "EINVAL", syscall });
			expect(refused({ of: "/no/such" })).toMatchObject({ code: "ENOENT", syscall: "statx", path: "/no/such" });
			neverOpen((fd) => {
				expect(refused({ of: fd })).toMatchObject({ code: "EBADF", syscall: "statx" });
				expect(refused({ namespace: fd })).toMatchObject({ code: "EBADF", syscall: "ioctl" });
			});
			using device = openat2("/dev/null");
			expect(refused({ namespace: device })).toMatchObject({ code: "ENOTTY", syscall: "ioctl" });
			if (has("Linux 6.11")) expect(refused({ namespace: 2n ** 60n })).toMatchObject({ code: "ENOENT", syscall });
		});
	}
	box.task.run(() => {
		using tree = openTree(box.inside(), { flags: ["clone"] });
		expect(refusal(() => listmount({ of: tree }))).toMatchObject({ code: "ENOENT", syscall });
	});
});

needs("Linux 6.11").test("STM-08 another mount namespace is named by its id or by a descriptor", async () => {
	await using box = await sandbox();
	const expected = box.task.run(() => listmount());
	const far = box.task.run(() => openat2("/proc/self/ns/mnt"));
	using namespace = box.task.get(far);
	far.close();
	const { namespaceId = 0n } = box.task.run(() => statmount("/"));
	expect(listmount({ namespace })).toEqual(expected);
	expect(listmount({ namespace: namespaceId })).toEqual(expected);
	expect(listmount()).not.toEqual(expected);
	const all = listmount({ namespace }).map((id) => statmount(id, { namespace }));
	expect(all.find(({ mountPoint }) => mountPoint === box.inside())).toMatchObject({ fsType: "tmpfs" });
});

test("wrong arguments are refused", () => {
	const refused = (options: unknown) => refusal(() => listmount(options as never)).code;
	expect(refused({ of: 30 })).toBe("ERR_INVALID_ARG_TYPE");
	expect(refused({ of: null })).toBe("ERR_INVALID_ARG_TYPE");
	expect(refused({ of: -1n })).toBe("ERR_OUT_OF_RANGE");
	expect(refused({ after: 30 })).toBe("ERR_INVALID_ARG_TYPE");
	expect(refused({ after: 2n ** 64n })).toBe("ERR_OUT_OF_RANGE");
	expect(refused({ limit: -1 })).toBe("ERR_OUT_OF_RANGE");
	expect(refused({ limit: 1.5 })).toBe("ERR_OUT_OF_RANGE");
	expect(refused({ limit: 5n })).toBe("ERR_INVALID_ARG_TYPE");
	expect(refused({ reverse: 1 })).toBe("ERR_INVALID_ARG_TYPE");
	expect(refused({ namespace: 1 })).toBe("ERR_INVALID_ARG_TYPE");
	expect(refused({ namespace: 0n })).toBe("ERR_OUT_OF_RANGE");
	expect(refused({ from: 1n })).toBe("ERR_INVALID_ARG_VALUE");
	expect(refused("/")).toBe("ERR_INVALID_ARG_TYPE");
});
