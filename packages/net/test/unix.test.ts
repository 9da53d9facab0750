import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Task, unlink } from "@nearfar/core";
import { bind, connect, getpeername, getsockname, listen, socket } from "@nearfar/net";
import { afterAll, expect, test } from "vitest";
import { isRoot } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-net-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a path of 108 bytes, the most that the kernel has room for, is bound and comes back", async () => {
	await using task = await Task.clone();
	const name = `./${"n".repeat(106)}`;
	task.run(() => {
		task.syscall(process.arch === "arm64" ? 49 : 80, Buffer.from(`${folder}\0`)); // chdir(2)
		using server = socket("unix", "stream");
		bind(server, { path: name });
		expect(getsockname(server)).toEqual({ path: name });
		listen(server);
		using client = socket("unix", "stream");
		connect(client, { path: name });
		expect(getpeername(client)).toEqual({ path: name });
	});
	expect(statSync(join(folder, name)).isSocket()).toBe(true);
});

test("a path that is not UTF-8 comes back as bytes", () => {
	const path = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])]);
	using server = socket("unix", "dgram");
	bind(server, { path });
	expect(getsockname(server)).toEqual({ path });
});

test("errors name the path: EADDRINUSE, ENOENT, ECONNREFUSED, EPROTOTYPE, ENOTDIR", async () => {
	const path = join(folder, "server");
	using server = socket("unix", "stream");
	bind(server, { path });
	using other = socket("unix", "stream");
	expect(refusal(() => bind(other, { path }))).toMatchObject({ code: "EADDRINUSE", syscall: "bind", path });
	const missing = join(folder, "no/where");
	expect(refusal(() => bind(other, { path: missing }))).toMatchObject({
		code: "ENOENT",
		syscall: "bind",
		path: missing,
	});
	expect(refusal(() => connect(other, { path: missing }))).toMatchObject({ code: "ENOENT", syscall: "connect" });
	expect(refusal(() => connect(other, { path }))).toMatchObject({ code: "ECONNREFUSED", syscall: "connect", path });
	listen(server);
	using dgram = socket("unix", "dgram");
	expect(refusal(() => connect(dgram, { path }))).toMatchObject({ code: "EPROTOTYPE", syscall: "connect" });
	const below = join(path, "a");
	expect(refusal(() => bind(other, { path: below }))).toMatchObject({ code: "ENOTDIR", syscall: "bind", path: below });
	server.close();
	// The file of a server that has gone is in the way until it is removed.
	expect(refusal(() => bind(other, { path }))).toMatchObject({ code: "EADDRINUSE", path });
	unlink(path);
	bind(other, { path });
});

test("an abstract name belongs to the network namespace", async () => {
	const path = `\0nearfar-${process.pid}`;
	using here = socket("unix", "stream");
	bind(here, { path });
	listen(here);
	await using task = await Task.clone({ namespaces: ["user", "net"] });
	const error = task.run(() => {
		using client = socket("unix", "stream");
		return refusal(() => connect(client, { path }));
	});
	expect(error).toMatchObject({ code: "ECONNREFUSED", syscall: "connect", path, task: `${task}` });
	using again = socket("unix", "stream");
	expect(refusal(() => bind(again, { path }))).toMatchObject({ code: "EADDRINUSE", syscall: "bind", path });
});

test("a Unix socket whose backlog is full is EAGAIN for a client that does not wait", () => {
	using server = socket("unix", "stream");
	bind(server, { path: "" });
	listen(server, 0);
	using first = socket("unix", "stream");
	connect(first, getsockname(server));
	using second = socket("unix", "stream");
	expect(refusal(() => connect(second, getsockname(server)))).toMatchObject({ code: "EAGAIN", syscall: "connect" });
});

test("a directory that the task may not write to is EACCES", async () => {
	await using task = await Task.clone();
	if (isRoot) task.syscall(process.arch === "arm64" ? 147 : 117, 1000, 1000, 1000); // setresuid(2)
	const error = task.run(() => {
		using made = socket("unix", "stream");
		return refusal(() => bind(made, { path: "/usr/nearfar-socket" }));
	});
	expect(error).toMatchObject({ code: "EACCES", syscall: "bind", path: "/usr/nearfar-socket" });
});
