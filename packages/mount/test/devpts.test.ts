import { statSync } from "node:fs";
import { openat2 } from "@nearfar/core";
import { devpts } from "@nearfar/mount";
import { expect, test } from "vitest";
import { has, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { mountAt, type Sandbox, sandbox, traces } from "./sandbox.ts";

const open = (box: Sandbox, place: string) => openat2(`${box.inside(place)}/ptmx`, { flags: ["rdwr", "noctty"] });

test("a devpts has the modes of distributions and the owner of whoever opens a terminal", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		devpts(place);
		using _terminal = open(box, "place");
		expect(statSync(box.outside("place/0")).mode & 0o7777).toBe(0o620);
	});
	expect(statSync(box.outside("place/ptmx")).mode & 0o7777).toBe(0o666);
	const made = mountAt(box.task, place);
	expect(made).toMatchObject({ type: "devpts", source: "devpts" });
	expect(made?.options).toEqual(["rw", "nosuid", "noexec", "relatime"]);
});

test("modes are octal, and max is the number of terminals", async () => {
	await using box = await sandbox();
	const place = box.folder("place");
	box.task.run(() => {
		devpts(place, { mode: 0o600, ptmxmode: 0o644, max: 1 });
		using _first = open(box, "place");
		expect(statSync(box.outside("place/0")).mode & 0o7777).toBe(0o600);
		expect(refusal(() => open(box, "place"))).toMatchObject({ code: "ENOSPC" });
	});
	expect(statSync(box.outside("place/ptmx")).mode & 0o7777).toBe(0o644);
});

test("every devpts has terminals of its own", async () => {
	await using box = await sandbox();
	const [one, two] = [box.folder("one"), box.folder("two")];
	box.task.run(() => {
		devpts(one);
		devpts(two);
		using _terminal = open(box, "one");
		statSync(box.outside("one/0"));
		expect(refusal(() => statSync(box.outside("two/0"))).code).toBe("ENOENT");
	});
});

test.each([{ gid: 5 }, { uid: 5 }])(
	"singularity #1186: %j that the user namespace does not map is EINVAL with a log, and nothing is mounted",
	async (owner) => {
		await using box = await sandbox({ namespaces: ["user", "mnt"], idMap: "root" });
		const place = box.folder("place");
		const before = traces(box.task);
		const call = () => devpts(place, owner);
		// Older kernels parse the options of devpts all at once, and say nothing.
		const log = has("Linux 6.18") ? { log: [expect.stringMatching(/Invalid [gu]id/)] } : {};
		expect(box.task.run(() => refusal(call))).toMatchObject({ code: "EINVAL", syscall: "fsconfig", ...log });
		await expect(box.task.batch(call)).rejects.toMatchObject({ code: "EINVAL", syscall: "fsconfig", ...log });
		expect(traces(box.task)).toEqual(before);
		box.task.run(() => devpts(place, { gid: 0, uid: 0 }));
		expect(mountAt(box.task, place)?.data).toContain(`gid=${process.getgid?.()}`);
	},
);

needs("root").test("systemd PR 670: without uid a terminal belongs to its opener, with uid to that user", async () => {
	await using box = await sandbox();
	const [place, other] = [box.folder("place"), box.folder("other")];
	box.task.run(() => {
		devpts(place);
		devpts(other, { uid: 7, gid: 5 });
		using _mine = open(box, "place");
		using _theirs = open(box, "other");
		expect(statSync(box.outside("place/0"))).toMatchObject({ uid: 0 });
		expect(statSync(box.outside("other/0"))).toMatchObject({ uid: 7, gid: 5 });
	});
	expect(mountAt(box.task, place)?.data).not.toMatch(/uid|gid/);
});

test.each([
	[{ mode: 0o10000 }, "ERR_OUT_OF_RANGE"],
	[{ mode: "620" as never }, "ERR_INVALID_ARG_TYPE"],
	[{ ptmxmode: -1 }, "ERR_OUT_OF_RANGE"],
	[{ uid: 2 ** 32 - 1 }, "ERR_OUT_OF_RANGE"],
	[{ gid: "tty" as never }, "ERR_INVALID_ARG_TYPE"],
	[{ max: -1 }, "ERR_OUT_OF_RANGE"],
	[{ max: 2 ** 20 + 1 }, "ERR_OUT_OF_RANGE"],
	[{ newinstance: true } as never, "ERR_INVALID_ARG_VALUE"],
])("%j is refused", (options, code) => {
	expect(refusal(() => devpts("/missing", options)).code).toBe(code);
});
