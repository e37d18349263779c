// Whatever was selected should not be there, even when its value is false, 0 or null.

export default function never() {
  return [{ message: 'This must not be here.' }]
}
