import { NearfarError } from "@nearfar/core";
import type { ReportItem } from "./host/items.ts";

/** What a {@link SandboxError} is about: its `code` is `ERR_NEARFAR_SANDBOX_` and this. */
export type SandboxErrorKind = "UNAVAILABLE" | "PATH" | "LIMIT" | "NETWORK";

/**
 * A sandbox cannot be had as it was asked for. Nothing has run.
 *
 * - `ERR_NEARFAR_SANDBOX_UNAVAILABLE`: the kernel refused a step. `cause` is the refusal, and `hint` says what stands in the way.
 * - `ERR_NEARFAR_SANDBOX_PATH`: a path of an option does not exist, or cannot be shown where it is asked for.
 * - `ERR_NEARFAR_SANDBOX_LIMIT`: a limit cannot be enforced here, or a pattern exceeds what a sandbox looks at.
 * - `ERR_NEARFAR_SANDBOX_NETWORK`: the proxy or a port of `network` cannot be had; `step` names it, and `cause` is the refusal.
 *
 * @example
 * ```ts
 * try {
 *   await run("true", [], { read: ["/no/such/folder"] });
 * } catch (error) {
 *   if (error instanceof SandboxError) console.log(error.code); // ERR_NEARFAR_SANDBOX_PATH
 * }
 * ```
 */
export class SandboxError extends NearfarError {
	/** What stands in the way, and what to do about it. */
	declare readonly hint?: string;
	/** What was being done, such as `"read /usr"`: one of the steps in which a sandbox is made. */
	declare readonly step?: string;
	/** What a sandbox needs and this host does not have, as {@link doctor} lists it. Absent: the host is not the reason. */
	declare readonly items?: readonly ReportItem[];

	constructor(
		kind: SandboxErrorKind,
		message: string,
		more: { cause?: unknown; hint?: string; step?: string; items?: readonly ReportItem[] } = {},
	) {
		super(`SANDBOX_${kind}`, message);
		this.name = "SandboxError";
		const { cause, hint, step, items } = more;
		if (cause !== undefined) Object.defineProperty(this, "cause", { value: cause, configurable: true, writable: true });
		if (hint !== undefined) this.hint = hint;
		if (step !== undefined) this.step = step;
		if (items !== undefined) this.items = items;
	}
}
