/** `SECBIT_…`: user 0 is nobody special, a change of ids gives no capability, and none becomes ambient; all of it locked. */
export const LOCKED_BITS = 0b1110_1111;
