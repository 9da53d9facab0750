import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BatchError, Task } from "@nearfar/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { children } from "../../../test/processes.ts";
import { Cgroup, CgroupError, type SystemdOptions } from "../src/index.ts";

/** A folder without a bus. */
let empty: string;
const { XDG_RUNTIME_DIR } = process.env;

beforeAll(() => {
	empty = mkdtempSync(join(tmpdir(), "nearfar-no-bus-"));
	process.env.XDG_RUNTIME_DIR = empty;
});

afterAll(() => {
	if (XDG_RUNTIME_DIR === undefined) delete process.env.XDG_RUNTIME_DIR;
	else process.env.XDG_RUNTIME_DIR = XDG_RUNTIME_DIR;
	rmSync(empty, { recursive: true });
});

test("without busctl or without a bus the reason is systemd, and no task is left", async () => {
	const before = children(process.pid);
	const error = await Cgroup.viaSystemd({ manager: "user" }).catch((error) => error);
	expect(error).toBeInstanceOf(CgroupError);
	expect(error).toMatchObject({ code: "ERR_NEARFAR_CGROUP", reason: "systemd" });
	expect(error.message).toMatch(/busctl (says: .|is missing)/);
	expect(error.hint).toMatch(/loginctl enable-linger.*dbus-user-session|install systemd/);
	expect(children(process.pid)).toEqual(before);
});

test("a signal that was aborted before ends it at once", async () => {
	const error = await Cgroup.viaSystemd({ signal: AbortSignal.abort() }).catch((error) => error);
	expect(error).toMatchObject({ name: "AbortError" });
});

test.for([
	[{ manager: "root" }, /options\.manager.*"user" or "system"/],
	[{ name: "a b.scope" }, /options\.name.*ends in \.scope/],
	[{ name: "work.service" }, /options\.name/],
	[{ name: "../up.scope" }, /options\.name/],
	[{ name: "--help.scope" }, /options\.name/],
	[{ controllers: "memory" }, /options\.controllers/],
	[{ signal: 1 }, /options\.signal/],
	[{ nam: "x.scope" }, /nam/],
] as [unknown, RegExp][])("viaSystemd(%j) is a TypeError", async ([options, words]) => {
	const error = await Cgroup.viaSystemd(options as SystemdOptions).catch((error) => error);
	expect(error).toBeInstanceOf(TypeError);
	expect(error.message).toMatch(words);
});

test("a batch has no scope yet", async () => {
	await using task = await Task.clone();
	let made: Promise<unknown> | undefined;
	await task.batch(() => {
		made = Cgroup.viaSystemd().catch((error) => error);
	});
	expect(await made).toBeInstanceOf(BatchError);
});

test("obtain says why neither a directory was found nor a scope was made", async () => {
	const options = { controllers: ["nothing"], manager: "user" } as const;
	const error = await Cgroup.obtain(options).catch((error) => error);
	expect(error).toMatchObject({ reason: "systemd", cause: { reason: expect.stringMatching(/^(controller|v1)$/) } });
	expect(error.hint).toContain(error.cause.hint);
});
