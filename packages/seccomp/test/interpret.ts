/** A system call as a filter sees it. */
export interface FilteredCall {
	arch: number;
	number: number;
	args?: readonly bigint[];
}

export const AUDIT_ARCH = { x64: 0xc000_003e, arm64: 0xc000_00b7, i386: 0x4000_0003 };

/** Runs a program of classic BPF as the kernel does, and returns the action. */
export function interpret(program: Uint8Array, { arch, number, args = [] }: FilteredCall): number {
	const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
	const load = (offset: number) => {
		if (offset === 0) return number;
		if (offset === 4) return arch;
		const argument = BigInt.asUintN(64, args[(offset - 16) >> 3] ?? 0n);
		return Number(offset % 8 === 0 ? argument & 0xffff_ffffn : argument >> 32n);
	};
	let loaded = 0;
	for (let at = 0; at < program.length; at += 8) {
		const code = view.getUint16(at, true);
		const value = view.getUint32(at + 4, true);
		const jump = (holds: boolean) => (at += 8 * view.getUint8(at + (holds ? 2 : 3)));
		if (code === 0x20) loaded = load(value);
		else if (code === 0x54) loaded = (loaded & value) >>> 0;
		else if (code === 0x05) at += 8 * value;
		else if (code === 0x15) jump(loaded === value);
		else if (code === 0x25) jump(loaded > value);
		else if (code === 0x35) jump(loaded >= value);
		else if (code === 0x06) return value;
		else throw new Error(`the code ${code}`);
	}
	throw new Error("the program has no end");
}
