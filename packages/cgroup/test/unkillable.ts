import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FileDescriptor, openat2, SyscallError } from "@nearfar/core";
import { mount } from "@nearfar/mount";
import { expect } from "vitest";
import type { Cgroup } from "../src/index.ts";

const INIT = 26; // FUSE_INIT
const [HEADER, INIT_OUT] = [16, 64]; // bytes of `struct fuse_out_header` and `struct fuse_init_out`
const [MAJOR, MINOR] = [7, 31];
const REQUEST = 1 << 18; // more than the shortest buffer that the kernel takes

/** A process in state D: it waits for a file system whose server has read the request and does not answer. Disposing of it answers. */
export class Unkillable implements AsyncDisposable {
	readonly #server: FileDescriptor;
	readonly #folder: string;
	readonly exited: Promise<unknown>;

	private constructor(server: FileDescriptor, folder: string, exited: Promise<unknown>) {
		this.#server = server;
		this.#folder = folder;
		this.exited = exited;
	}

	/** Starts the process in a group. Needs root and FUSE. */
	static async start(group: Cgroup): Promise<Unkillable> {
		const server = openat2("/dev/fuse", { flags: ["rdwr", "nonblock"] });
		const folder = mkdtempSync(join(tmpdir(), "nearfar-fuse-"));
		const task = await group.clone({ namespaces: ["mnt"] });
		task.run(() => {
			mount(undefined, "/", undefined, { flags: ["rec", "private"] });
			using far = task.put(server);
			mount("test", folder, "fuse", { data: `fd=${far.fd},rootmode=40000,user_id=0,group_id=0` });
		});
		const first = await nextRequest(server);
		expect(first.opcode).toBe(INIT);
		server.write(initReply(first.unique));
		const child = task.exec("ls", ["ls", folder]);
		await nextRequest(server);
		return new Unkillable(server, folder, child.exited);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#server.close(); // ends the connection, and with it the wait
		await this.exited;
		rmdirSync(this.#folder);
	}
}

async function nextRequest(server: FileDescriptor): Promise<{ opcode: number; unique: bigint }> {
	let request: Buffer = Buffer.alloc(0);
	await expect
		.poll(() => {
			request = readIfThere(server);
			return request.length;
		})
		.toBeGreaterThan(0);
	return { opcode: request.readUInt32LE(4), unique: request.readBigUInt64LE(8) };
}

function readIfThere(server: FileDescriptor): Buffer {
	try {
		return server.read(REQUEST);
	} catch (error) {
		if (error instanceof SyscallError && error.code === "EAGAIN") return Buffer.alloc(0);
		throw error;
	}
}

function initReply(unique: bigint): Buffer {
	const reply = Buffer.alloc(HEADER + INIT_OUT);
	reply.writeUInt32LE(reply.length, 0);
	reply.writeBigUInt64LE(unique, 8);
	reply.writeUInt32LE(MAJOR, HEADER);
	reply.writeUInt32LE(MINOR, HEADER + 4);
	reply.writeUInt32LE(4096, HEADER + 20); // max_write
	return reply;
}
