import type { Socket } from "node:net";
import { Readable } from "node:stream";
import type { FileDescriptor } from "@nearfar/core";
import { native } from "@nearfar/core/internal";

/** The part of Bun that reads a descriptor without blocking a thread. */
interface BunFiles {
	file(fd: number): { stream(): ReadableStream<Uint8Array> };
}

/**
 * Makes the stream of this process for its end of a pipe or of a socket pair. The stream closes the descriptor.
 *
 * On Bun (tried with 1.4) `new Socket({ fd })` never reads, and spins. There `connect({ fd })` takes sockets, but no pipes, and
 * `fs.createReadStream` blocks one of a few threads for each pipe that is silent.
 */
export function openStream(descriptor: FileDescriptor, readable: boolean, writable: boolean): Socket | Readable {
	const { Bun } = globalThis as { Bun?: BunFiles };
	if (Bun && !writable) return new BunReader(Bun, descriptor);
	const { Socket } = process.getBuiltinModule("node:net");
	const { fd } = descriptor;
	native().beginHandover(fd);
	descriptor.take();
	const socket = Bun
		? new Socket({ readable, writable }).connect({ fd } as never)
		: new Socket({ fd, readable, writable });
	native().endHandover(fd);
	return socket;
}

/** Reads a descriptor on Bun. The descriptor stays one of nearfar, because Bun would leave it open at the end of a Worker. */
class BunReader extends Readable {
	readonly fd: number;
	bytesRead = 0;
	readonly #files: BunFiles;
	readonly #descriptor: FileDescriptor;
	#reader: ReadableStreamDefaultReader<Uint8Array> | undefined; // reads ahead once it is there

	constructor(files: BunFiles, descriptor: FileDescriptor) {
		super();
		this.#files = files;
		this.#descriptor = descriptor;
		this.fd = descriptor.fd;
	}

	override _read(): void {
		this.#reader ??= this.#files.file(this.fd).stream().getReader();
		this.#reader.read().then(
			({ value, done }) => {
				this.bytesRead += value?.length ?? 0;
				this.push(done ? null : value);
			},
			(error) => this.destroy(error),
		);
	}

	override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
		const close = () => {
			try {
				this.#descriptor.close();
				callback(error);
			} catch (fault) {
				callback(error ?? (fault as Error));
			}
		};
		if (this.#reader) this.#reader.cancel().then(close, close);
		else close();
	}
}
