export function transcendental(number: u32): void {}
