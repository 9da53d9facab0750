import { type ExecOptions, FileDescriptor, type PathLike, type Task } from "@nearfar/core";
import { copyEnvironment, executeFor, explained } from "@nearfar/core/internal";
import { copyDomain, type Domain, enterDomain, hintInDomain } from "./domain.ts";
import { Privileges } from "./privileges.ts";
import type { SpawnRequest } from "./request.ts";
import { type PlacedFiles, prepareTask, setFileLimit } from "./state.ts";
import type { OpenStdio } from "./stdio.ts";
import { groupNumber } from "./tree.ts";

/** The first batch of the task that becomes the program. The batch applies the options and executes the program. */
export class FirstBatch {
	readonly #stdio: OpenStdio;
	readonly #group: number | undefined;
	readonly #privileges: Privileges;
	#request: SpawnRequest;
	#snapshotError: unknown;
	#placed: PlacedFiles | undefined; // a reference to all of its descriptors until exec
	/** The domain with descriptors of the task, which close when the program is executed. */
	#domain: Domain | undefined;
	#complete = false;

	constructor(request: SpawnRequest, stdio: OpenStdio) {
		this.#request = request;
		this.#stdio = stdio;
		this.#group = groupNumber(request);
		this.#privileges = new Privileges(request);
	}

	/** Collects all calls; with a `setup` all but {@link exec}. */
	readonly collect = (task: Task): void => {
		if (this.#snapshotError !== undefined) throw this.#snapshotError;
		this.#placed = prepareTask(task, this.#request, this.#stdio, this.#privileges, this.#group);
		const { domain, setup } = this.#request;
		// Behind the descriptors of the program, which are at their numbers now.
		if (domain) this.#domain = copyDomain(domain, (fd) => task.put(fd));
		if (setup) return;
		this.exec(task);
		this.#complete = true;
	};

	/**
	 * Copies the environment and the caller's descriptors, unless their values of the moment of the call are in the batch
	 * already. Otherwise the caller could change or close them before {@link collect} and {@link exec} are called.
	 */
	snapshot(): void {
		if (this.#complete) return;
		try {
			this.#request = { ...this.#request, env: copyEnvironment(this.#request.env) };
			if (!this.#placed) this.#request = copyDescriptors(this.#request, this.#stdio);
		} catch (error) {
			this.#snapshotError = error; // the clone is under way already: `collect` throws, and so the clone fails
		}
	}

	/** Reads what the task has after the `setup`. Called before {@link exec}, outside of a batch. */
	afterSetup(task: Task): void {
		this.#privileges.afterSetup(task);
	}

	/** Adds to the error of a call of this batch what stands in the way. */
	explain(error: unknown): void {
		this.#privileges.explain(error);
	}

	/** Reduces the capabilities, enters the domain, sets the limit of open files, installs the filter and executes the program, as part of a batch. */
	exec(task: Task): void {
		const { executable, kept = [] } = this.#placed ?? {};
		const { argv, descriptor, filter } = this.#request;
		this.#privileges.reduce();
		if (this.#domain) enterDomain(this.#domain);
		setFileLimit(this.#request);
		const file = executable ?? (this.#request.file as PathLike);
		const options = execOptions(this.#request, kept);
		const execute = () => executeFor({ call: "spawn", descriptor }, task, file, argv, options, filter && [filter]);
		this.#privileges.execute(this.#domain ? () => explained(execute, hintInDomain) : execute);
	}
}

/** Returns the request with copies of the caller's descriptors, which `stdio` closes. */
function copyDescriptors(request: SpawnRequest, stdio: OpenStdio): SpawnRequest {
	stdio.copyCallersDescriptors();
	return {
		...request,
		file: request.file instanceof FileDescriptor ? stdio.copy(request.file) : request.file,
		fds: request.fds.map(([number, fd]) => [number, stdio.copy(fd)] as const),
		...(request.join && { join: request.join.map(stdio.copy) }),
		...(request.domain && { domain: copyDomain(request.domain, stdio.copy) }),
	};
}

function execOptions(request: SpawnRequest, fds: readonly FileDescriptor[]): ExecOptions {
	const { env, lookup, killTree, init } = request;
	// The program's parent, the supervisor, ends before the program only when the supervisor is killed, as with Node.
	const { deathSignal = killTree || init ? "SIGKILL" : undefined } = request;
	return {
		fds,
		...(env && { env }),
		...(deathSignal !== undefined && { deathSignal }),
		...(lookup !== undefined && { lookup }),
	};
}
