<?php
/**
 * Adds hooks whose objects are made when the hook fires.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Boot;

use Closure;
use Throwable;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Services;

/**
 * A hook that does not fire loads no class file and makes no object.
 *
 * The callbacks cannot fail towards their caller. WooCommerce swallows an Exception of an order hook (and then skips the callbacks after
 * it), but a TypeError gives HTTP 500 at the checkout. So a callback takes whatever it is given and catches everything, also what goes wrong
 * while its object is made. The methods have parameters without types, with defaults.
 *
 * A callback is a class and its method, or a closure.
 */
final class LazyHooks {

	public function __construct( private readonly Services $services ) {}

	/**
	 * As add_action.
	 *
	 * @param array{0: class-string, 1: string}|Closure $callback Gets the hook's arguments as they come.
	 * @param Closure|null                              $when     Gets them first: without its true nothing is made.
	 */
	public function action( string $hook, array|Closure $callback, int $priority = 10, int $arguments = 1, ?Closure $when = null ): void {
		$guarded = function ( ...$given ) use ( $hook, $callback, $arguments, $when ): void {
			$this->call( $hook, $callback, array_slice( $given, 0, $arguments ), $when );
		};
		add_action( $hook, $guarded, $priority, $arguments );
	}

	/**
	 * As add_filter. When the callback fails, the value passes unchanged.
	 *
	 * @param array{0: class-string, 1: string}|Closure $callback Gets the hook's arguments; the first is the filtered value.
	 * @param Closure|null                              $when     Gets them first: without its true nothing is made.
	 */
	public function filter( string $hook, array|Closure $callback, int $priority = 10, int $arguments = 1, ?Closure $when = null ): void {
		add_filter( $hook, fn( ...$given ) => $this->call( $hook, $callback, array_slice( $given, 0, $arguments ), $when, $given[0] ?? null ), $priority, $arguments );
	}

	/** Calls the body now, guarded as a callback is. */
	public function guarded( string $where, Closure $body ): void {
		$this->call( $where, $body, array() );
	}

	/**
	 * For what has guards of its own: a handler that ends the request, a route.
	 *
	 * @template T of object
	 * @param class-string<T> $name The class.
	 * @return Closure(): T Makes the object when it is called first.
	 */
	public function maker( string $name ): Closure {
		return fn(): object => $this->services->get( $name );
	}

	/**
	 * @param array{0: class-string, 1: string}|Closure $callback  What to call.
	 * @param array<int, mixed>                         $given     Arguments of the hook.
	 * @param mixed                                     $otherwise The answer after a failure, or where $when says no.
	 * @return mixed
	 */
	private function call( string $where, array|Closure $callback, array $given, ?Closure $when = null, $otherwise = null ) {
		try {
			if ( null !== $when && ! $when( ...$given ) ) {
				return $otherwise;
			}
			return $callback instanceof Closure ? $callback( ...$given ) : $this->services->get( $callback[0] )->{$callback[1]}( ...$given );
		} catch ( Throwable $error ) {
			$this->services->get( Log::class )->failure( $where, $error );
			return $otherwise;
		}
	}
}
