import { once } from "node:events";
import { closeSync, createReadStream, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { FileDescriptor, openat2, pipe, Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { ownProc } from "../../../../test/own-proc.ts";
import { reason } from "../../../../test/reason.ts";
import { spawn } from "../../src/index.ts";
import { output, shell } from "./output.ts";

const file = join(tmpdir(), `nearfar-stdio-${process.pid}`);
const open = `ls ${ownProc}/self/fd`;

test("stdin, stdout and stderr are streams, and null where nothing is piped", async () => {
	const child = await spawn("sh", ["-c", "cat; echo err >&2"]);
	child.stdin?.end("in");
	expect([await text(child.stdout as Readable), await text(child.stderr as Readable)]).toEqual(["in", "err\n"]);
	expect(await child.exited).toMatchObject({ code: 0 });
	expect(child.stdio).toEqual([child.stdin, child.stdout, child.stderr]);
	const silent = await spawn("true", [], { stdio: ["ignore", "inherit"], env: {} });
	expect([silent.stdin, silent.stdout]).toEqual([null, null]);
	silent.stderr?.resume();
	await Promise.all([silent.exited, once(silent.stderr as Readable, "close")]);
});

test("FDX-03 the program has what it was given, and no other descriptor", async () => {
	// The shell opens a descriptor to read the folder.
	expect((await shell(open)).split("\n")).toHaveLength(4);
	using other = openat2("/etc/passwd");
	other.closeOnExec = false;
	const stdio = ["ignore", "pipe", "inherit", "ignore", "pipe", other] as const;
	const child = await spawn("sh", ["-c", open], { stdio });
	const seen = (await text(child.stdout as Readable)).trim().split("\n");
	child.stdio[4]?.destroy();
	expect(seen).toEqual(["0", "1", "2", "3", "4", "5", "6"]);
	await child.exited;
});

test("ignored descriptors are /dev/null, and stderr can be opened again by its path", async () => {
	const { out, err } = await output("sh", ["-c", `readlink ${ownProc}/self/fd/0; echo again > ${ownProc}/self/fd/2`]);
	expect([out, err]).toEqual(["/dev/null\n", "again\n"]);
});

test("numbers, descriptors, Node's streams and handles become the program's", async () => {
	writeFileSync(file, "from a file");
	try {
		using descriptor = openat2(file);
		const number = openSync(file, "r");
		const stream = createReadStream(file);
		await once(stream, "open");
		for (const source of [descriptor, number, stream]) {
			const { out } = await output("cat", [], { stdio: [source, "pipe", "inherit"] });
			expect(out).toBe("from a file");
		}
		stream.destroy();
		closeSync(number);
	} finally {
		rmSync(file);
	}
});

test("a pipe of ours, and a child's stream, connect programs", async () => {
	const [read, write] = pipe();
	const first = await spawn("echo", ["through"], { stdio: ["ignore", write, "inherit"] });
	write.close();
	const { out } = await output("cat", [], { stdio: [read, "pipe", "inherit"] });
	read.close();
	expect(out).toBe("through\n");
	await first.exited;
});

test("from 3 up: at exactly that number, in both directions", async () => {
	const stdio = ["ignore", "pipe", "inherit", "ignore", "ignore", "pipe"] as const;
	const child = await spawn("sh", ["-c", "read line <&5; echo $line back >&5; echo done"], { stdio });
	const both = child.stdio[5];
	both?.write("there\n");
	expect(await text(both as Readable)).toBe("there back\n");
	expect(await text(child.stdout as Readable)).toBe("done\n");
	expect(child.stdio.map((stream) => stream !== null)).toEqual([false, true, false, false, false, true]);
	await child.exited;
});

test("many, in whatever order they were open here, land where they were asked for", async () => {
	const files = Array.from({ length: 20 }, (_, index) => {
		const [read, write] = pipe();
		write.write(`${index}`);
		write.close();
		return read;
	});
	const shuffled = files.map((_, index) => files[(index * 7) % 20] as FileDescriptor);
	const script = `for n in $(seq 3 22); do cat ${ownProc}/self/fd/$n; echo; done`;
	const stdio = ["ignore", "pipe", "inherit", ...shuffled] as const;
	const { out } = await output("sh", ["-c", script], { stdio });
	for (const read of files) read.close();
	expect(out.trim().split("\n").map(Number)).toEqual(shuffled.map((_, index) => (index * 7) % 20));
});

test("ignored from 3 up, with nothing else that goes along", async () => {
	const stdio = Array(20).fill("ignore") as "ignore"[];
	const child = await spawn("sh", ["-c", `test $(readlink ${ownProc}/self/fd/19) = /dev/null`], { stdio });
	await child.check();
});

test("fds: descriptors of ours at their own numbers", async () => {
	using opened = openat2("/etc/hostname");
	using high = opened.dup({ min: 200 });
	const child = await spawn("sh", ["-c", `cat ${ownProc}/self/fd/${high.fd}`], {
		fds: [high],
		stdio: ["ignore", "pipe", 2],
	});
	expect(await text(child.stdout as Readable)).toBe(readFileSync("/etc/hostname", "utf8"));
	await child.exited;
	const error = await reason(() => spawn("true", [], { fds: [FileDescriptor.borrow(1)] }));
	expect(error).toMatchObject({ code: "ERR_OUT_OF_RANGE" });
});

test("a descriptor of a task is refused, and nothing is left", async () => {
	await using task = await Task.clone();
	const far = task.run(() => openat2("/etc/passwd"));
	const error = await reason(() => spawn("cat", [], { stdio: [far, "pipe", "pipe"] }));
	expect(error).toMatchObject({ code: "ERR_NEARFAR_FD_TABLE_MISMATCH" });
});
