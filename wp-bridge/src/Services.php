<?php
/**
 * The service container.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use LogicException;
use ReflectionClass;
use ReflectionNamedType;

/**
 * Creates each object of the plugin once, at the first request for it, from the types of its constructor's parameters. Only three places
 * ask the container: Plugin, Boot and uninstall.php, and the classes that WooCommerce instantiates. Every other class names its
 * dependencies in its constructor.
 */
final class Services {

	/**
	 * Objects created so far, by class name.
	 *
	 * @var array<class-string, object>
	 */
	private array $made = array();

	/**
	 * Objects that a test has put in the place of a class.
	 *
	 * @var array<class-string, object>
	 */
	private array $replaced = array();

	/**
	 * Classes whose constructor is running. A class found here again depends on itself.
	 *
	 * @var array<class-string, true>
	 */
	private array $being_made = array();

	/**
	 * Returns the one object of a class.
	 *
	 * @template T of object
	 * @param class-string<T> $name The class.
	 * @return T
	 * @throws LogicException The class depends on itself, or a constructor parameter's type is no class.
	 */
	public function get( string $name ): object {
		return $this->replaced[ $name ] ?? $this->made[ $name ] ??= $this->make( $name );
	}

	/**
	 * Replaces a class by an object. Objects created before are dropped: the next request creates them with the replacement.
	 *
	 * @param class-string $name   The class.
	 * @param object       $object The replacement.
	 */
	public function set( string $name, object $object ): void {
		$this->replaced[ $name ] = $object;
		$this->made              = array();
	}

	/** @param class-string $name The class. */
	private function make( string $name ): object {
		if ( isset( $this->being_made[ $name ] ) ) {
			throw new LogicException( "{$name} needs itself: " . implode( ', ', array_keys( $this->being_made ) ) );
		}
		$this->being_made[ $name ] = true;
		try {
			$class       = new ReflectionClass( $name );
			$constructor = $class->getConstructor();
			$needed      = array();
			foreach ( null === $constructor ? array() : $constructor->getParameters() as $parameter ) {
				$type = $parameter->getType();
				if ( ! $type instanceof ReflectionNamedType || $type->isBuiltin() ) {
					throw new LogicException( "{$name}: \${$parameter->getName()} is no class" );
				}
				// WordPress's own object. switch_to_blog() changes its prefixes, and the object stays the same.
				$needed[] = 'wpdb' === $type->getName() ? $GLOBALS['wpdb'] : $this->get( $type->getName() );
			}
			return $class->newInstanceArgs( $needed );
		} finally {
			unset( $this->being_made[ $name ] );
		}
	}
}
