/** The header `Proxy-Authenticate` of the status 407. */
export const CHALLENGE = 'Basic realm="nearfar"';

type RefusalStatus = 400 | 403 | 407 | 501 | 502;

/**
 * Thrown for a connection that is not made. The client gets the status and the message.
 *
 * - 400: the request is not one for a proxy.
 * - 403: the rules of the sandbox refuse the host. This is a violation.
 * - 407: the client has not said the password of the proxy.
 * - 501: the request needs what the proxy does not have.
 * - 502: the host cannot be reached.
 */
export class Refusal extends Error {
	readonly status: RefusalStatus;
	/** With the status 403: what the client wanted to connect to. */
	readonly target: string | undefined;

	constructor(status: RefusalStatus, message: string, target?: string) {
		super(message);
		this.status = status;
		this.target = target;
	}
}

/** Returns the code of an error for a client, since the message can name what is none of its business, such as an address. */
export function codeOf(error: unknown): string {
	return (error as NodeJS.ErrnoException | undefined)?.code ?? "no answer";
}
