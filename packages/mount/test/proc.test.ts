import { existsSync, readdirSync } from "node:fs";
import { openat2, type Task } from "@nearfar/core";
import { fsmount, fsopen, proc, tmpfs } from "@nearfar/mount";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { mountAt, namespaceFor, ownMounts, sandbox, traces } from "./sandbox.ts";

const ownPids = { ...ownMounts, namespaces: [...(ownMounts.namespaces ?? []), "pid" as const] };
const whole = needs("a /proc and a /sys that nothing hides");
const pids = (path: string) => readdirSync(path).filter((name) => /^\d+$/.test(name));

whole.test("nsjail PR 283: a proc is nosuid, nodev and noexec, unless set says otherwise", async () => {
	await using box = await sandbox(ownPids);
	const [place, other] = [box.folder("place"), box.folder("other")];
	box.task.run(() => {
		proc(place);
		proc(other, { set: ["rdonly"] });
	});
	expect(mountAt(box.task, place)).toMatchObject({
		type: "proc",
		source: "proc",
		options: ["rw", "nosuid", "nodev", "noexec", "relatime"],
	});
	expect(mountAt(box.task, other)?.options).toEqual(["ro", "relatime"]);
	expect(pids(box.outside("place"))).toEqual(["1"]);
});

whole.test("NMA-28 subset shows processes and nothing else, and hidepid is what was asked for", async () => {
	await using box = await sandbox(ownPids);
	const [place, hidden] = [box.folder("place"), box.folder("hidden")];
	box.task.run(() => {
		proc(place, { subset: "pid" });
		proc(hidden, { hidepid: "invisible", gid: 0 });
	});
	expect(existsSync(box.outside("place/1/status"))).toBe(true);
	expect(existsSync(box.outside("place/meminfo"))).toBe(false);
	expect(mountAt(box.task, place)?.data).toContain("subset=pid");
	expect(mountAt(box.task, hidden)?.data).toContain("hidepid=invisible");
	for (const hidepid of ["off", "noaccess", "ptraceable"] as const) {
		box.task.run(() => proc(hidden, { hidepid }));
		if (hidepid !== "off") expect(mountAt(box.task, hidden)?.data).toContain(`hidepid=${hidepid}`);
	}
});

needs("Linux 6.17", "a /proc and a /sys that nothing hides").test(
	"NMA-28 pidns shows that namespace, also one that a batch opens",
	async () => {
		await using box = await sandbox(ownPids);
		const [place, other] = [box.folder("place"), box.folder("other")];
		await using inner = await box.task.clone({ namespaces: ["pid"] });
		await using second = await inner.clone();
		const path = `/proc/${inner.pid}/ns/pid`;
		const pidns = namespaceFor(box.task, path);
		box.task.run(() => proc(place, { pidns }));
		expect(pids(box.outside("place"))).toEqual(["1", "2"]);
		expect(pidns.closed).toBe(false);
		await box.task.batch(() => {
			using opened = pidns.dup();
			proc(other, { pidns: opened });
		});
		expect(pids(box.outside("other"))).toEqual(["1", "2"]);
		expect(second.state).toBe("live");
		box.task.run(() => pidns.close());
	},
);

needs("Linux 6.17").test("NMA-28 a pidns that is no pid namespace is EINVAL", async () => {
	await using box = await sandbox(ownPids);
	const place = box.folder("place");
	const before = traces(box.task);
	const refused = (path: string) =>
		box.task.run(() => {
			using file = openat2(path, { flags: ["rdonly"] });
			return refusal(() => proc(place, { pidns: file }));
		});
	for (const path of ["/proc/self/ns/uts", "/proc/self/status"]) {
		expect(refused(path)).toMatchObject({ code: "EINVAL", syscall: "fsconfig" });
	}
	expect(traces(box.task)).toEqual(before);
});

whole.test("NMA-28 a parameter after create is EBUSY", async () => {
	await using box = await sandbox(ownPids);
	box.task.run(() => {
		using context = fsopen("proc").create();
		expect(refusal(() => context.setString("hidepid", "invisible"))).toMatchObject({
			code: "EBUSY",
			syscall: "fsconfig",
		});
		fsmount(context).close();
	});
});

/** Asserts that `proc` is refused as in a container, and leaves nothing. */
async function expectRefused(task: Task, place: string): Promise<void> {
	const before = traces(task);
	const expected = { code: "EPERM", syscall: expect.stringMatching(/^fs(config|mount)$/), hint: expect.any(String) };
	expect(task.run(() => refusal(() => proc(place)))).toMatchObject(expected);
	await expect(task.batch(() => proc(place))).rejects.toMatchObject(expected);
	expect(traces(task)).toEqual(before);
}

test("bubblewrap #738: without a pid namespace of its own a user namespace gets no proc, and a hint says so", async () => {
	await using box = await sandbox({ namespaces: ["user", "mnt"], idMap: "root" });
	await expectRefused(box.task, box.folder("place"));
});

test("bubblewrap #738: where the outer proc is masked there is no new one, and a hint says so", async () => {
	await using box = await sandbox();
	box.task.run(() => tmpfs("/proc/sys"));
	await using task = await box.task.clone({ namespaces: ["user", "mnt", "pid"], idMap: "root" });
	await expectRefused(task, box.folder("place"));
});

test.each([
	[{ hidepid: 2 as never }, "ERR_INVALID_ARG_VALUE"],
	[{ hidepid: "hidden" as never }, "ERR_INVALID_ARG_VALUE"],
	[{ subset: "all" as never }, "ERR_INVALID_ARG_VALUE"],
	[{ gid: -1 }, "ERR_OUT_OF_RANGE"],
	[{ pidns: 5 as never }, "ERR_INVALID_ARG_TYPE"],
	[{ uid: 5 } as never, "ERR_INVALID_ARG_VALUE"],
])("%j is refused", (options, code) => {
	expect(refusal(() => proc("/missing", options)).code).toBe(code);
});
