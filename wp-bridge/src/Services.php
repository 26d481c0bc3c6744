<?php
/**
 * The container.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use LogicException;
use ReflectionClass;
use ReflectionNamedType;

/**
 * Makes each object of the plugin once, when it is first asked for, from the types of its constructor's parameters. Only the composition
 * (Plugin, Boot, uninstall.php) and the classes that WooCommerce makes by itself ask here. Every other class says in its constructor what
 * it needs.
 */
final class Services {

	/**
	 * What has been made, by class name.
	 *
	 * @var array<class-string, object>
	 */
	private array $made = array();

	/**
	 * What a test has put in the place of a class.
	 *
	 * @var array<class-string, object>
	 */
	private array $replaced = array();

	/**
	 * Classes whose constructor is being served.
	 *
	 * @var array<class-string, true>
	 */
	private array $being_made = array();

	/**
	 * The one object of a class.
	 *
	 * @template T of object
	 * @param class-string<T> $name The class.
	 * @return T
	 * @throws LogicException The class needs itself, or something that is no class.
	 */
	public function get( string $name ): object {
		return $this->replaced[ $name ] ?? $this->made[ $name ] ??= $this->make( $name );
	}

	/**
	 * Puts another object in the place of a class. What has been made is made anew when it is asked for again, so that it gets this one.
	 *
	 * @param class-string $name   The class.
	 * @param object       $object The object to answer with.
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
				// WordPress's own, which it keeps itself. A switched site changes its prefixes, not the object.
				$needed[] = 'wpdb' === $type->getName() ? $GLOBALS['wpdb'] : $this->get( $type->getName() );
			}
			return $class->newInstanceArgs( $needed );
		} finally {
			unset( $this->being_made[ $name ] );
		}
	}
}
