<?php
/**
 * The callback of one hook.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Boot;

use Closure;

/** Calls a callback of LazyHooks with its guard. Every page makes about fifty of these, and an object takes a third of a closure's memory. */
final class HookCall {

	/** @param array{0: class-string, 1: string}|Closure $callback The callback. */
	public function __construct(
		private readonly LazyHooks $hooks,
		private readonly string $hook,
		private readonly array|Closure $callback,
		private readonly int $arguments,
		private readonly ?Closure $when
	) {}

	/**
	 * @param mixed ...$given The first is the value of a filter. A failed filter returns it unchanged.
	 * @return mixed
	 */
	public function __invoke( ...$given ) {
		return $this->hooks->call( $this->hook, $this->callback, array_slice( $given, 0, $this->arguments ), $this->when, $given[0] ?? null );
	}
}
