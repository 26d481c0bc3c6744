<?php
/**
 * Lazy, guarded hooks.
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
 * Adds hooks that load no class file and create no object before they fire.
 *
 * A callback cannot fail towards its caller. WooCommerce swallows an Exception of an order hook and skips the callbacks after it. A
 * TypeError gives HTTP 500 at the checkout. So each callback accepts any arguments and catches everything, including a failure to create
 * its object. The methods have parameters without types, with defaults.
 *
 * A callback is a class with a method name, or a closure.
 */
final class LazyHooks {

	public function __construct( private readonly Services $services ) {}

	/**
	 * Adds an action, as add_action does.
	 *
	 * @param array{0: class-string, 1: string}|Closure $callback Gets the hook's arguments unchanged.
	 * @param Closure|null                              $when     Gets the same arguments first. Unless it returns true, no object is
	 * created.
	 */
	public function action( string $hook, array|Closure $callback, int $priority = 10, int $arguments = 1, ?Closure $when = null ): void {
		add_action( $hook, new HookCall( $this, $hook, $callback, $arguments, $when ), $priority, $arguments );
	}

	/**
	 * Adds a filter, as add_filter does. When the callback fails, the filter returns its value unchanged.
	 *
	 * @param array{0: class-string, 1: string}|Closure $callback Gets the hook's arguments; the first is the filtered value.
	 * @param Closure|null                              $when     Gets the same arguments first. Unless it returns true, no object is
	 * created.
	 */
	public function filter( string $hook, array|Closure $callback, int $priority = 10, int $arguments = 1, ?Closure $when = null ): void {
		add_filter( $hook, new HookCall( $this, $hook, $callback, $arguments, $when ), $priority, $arguments );
	}

	/** Calls the body now, with the same guard as a callback. */
	public function call_guarded( string $where, Closure $body ): void {
		$this->call( $where, $body, array() );
	}

	/**
	 * Returns a factory for callers that catch their own errors: a handler that ends the request, or a route.
	 *
	 * @template T of object
	 * @param class-string<T> $name The class.
	 * @return Closure(): T Creates the object at its first call.
	 */
	public function factory( string $name ): Closure {
		return fn(): object => $this->services->get( $name );
	}

	/**
	 * Calls a callback. HookCall is the caller.
	 *
	 * @param array{0: class-string, 1: string}|Closure $callback  The callback.
	 * @param array<int, mixed>                         $given     Arguments of the hook.
	 * @param mixed                                     $otherwise Result after a failure, or where $when returns false.
	 * @return mixed
	 */
	public function call( string $where, array|Closure $callback, array $given, ?Closure $when = null, $otherwise = null ) {
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
