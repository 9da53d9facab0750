import type * as childProcess from "node:child_process";
import type * as fs from "node:fs";
import type { setTimeout } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import type * as caps from "@nearfar/caps";
import type * as core from "@nearfar/core";
import type { native } from "@nearfar/core/internal";
import type * as credentials from "@nearfar/credentials";
import type * as programs from "@nearfar/process";

/** The plain values of an error. */
export interface Refusal {
	name: string;
	message: string;
	code?: string;
	errno?: number;
	syscall?: string;
	step?: number;
	hint?: string;
	tid?: number;
	threadName?: string;
	state?: string;
}

/** What strange.c exports. Functions return a negative errno for a failure. */
interface Strange {
	/** Starts a thread of a kind. Returns its id. */
	thread(kind: string, number?: number): number;
	/** Starts a thread that the C library does not know. Returns its id. */
	rawThread(): number;
	/** Writes the byte that one of the threads "reads" reads. */
	writeByte(): number;
	bytesRead(): number;
	readsFailed(): number;
	/** Opens an io_uring and returns its descriptor. With `closes` 1 only its mapping stays. */
	ring(entries: number, flags: number, closes: number): number;
	/** Installs a handler of signal 33. With `passesOn` 1 the handler calls the former one. */
	handler(passesOn: number): number;
	/** Sends signal 33 to the calling thread. */
	raise33(): number;
	/** Returns how often the handler was called. */
	handled(): number;
	/** From now on the kernel refuses a system call to one thread, though all threads have the same filter. */
	refuseIn(number: number, tid: number): number;
	/**
	 * From now on the kernel refuses a system call to every thread; `errno` -1: it kills a thread for the call. With `noNewPrivs` 1
	 * that flag is set first.
	 */
	refuseCall(number: number, errno: number, noNewPrivs: number): number;
}

/** A Worker of a Node under test. */
export interface WorkerUnderTest {
	/** Evaluates a function in the Worker. The function may use its parameters and globals, and no variable around it. */
	evaluate<Argument, Value>(
		fn: (scope: Scope, argument: Argument) => Value,
		argument?: Argument,
	): Promise<Awaited<Value>>;
	end(): Promise<void>;
}

/** What functions find in a Node under test: see fixtures/every-thread.mjs. */
export interface Scope {
	caps: typeof caps;
	childProcess: typeof childProcess;
	core: typeof core;
	credentials: typeof credentials;
	fs: typeof fs;
	/** Evaluates a function in a Worker that lives no longer. */
	inWorker: WorkerUnderTest["evaluate"];
	native: typeof native;
	programs: typeof programs;
	refusal(fn: () => unknown): Promise<Refusal | undefined>;
	sleep: typeof setTimeout;
	/** Starts a Worker, which is one of `workers` until it ends. */
	startWorker(): Promise<WorkerUnderTest>;
	strange: Strange;
	Worker: typeof Worker;
	workers: WorkerUnderTest[];
	works(): Promise<void>;
}
