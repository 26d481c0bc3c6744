<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Orders\Drain;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Services;

require_once __DIR__ . '/BridgeTestCase.php';

/** Has itself as its constructor's argument. */
final class NeedsItself {
	public function __construct( public readonly NeedsItself $other ) {}
}

/** Has a number as its constructor's argument. */
final class NeedsNumber {
	public function __construct( public readonly int $number ) {}
}

/** Covers the container. */
final class ServicesTest extends BridgeTestCase {

	public function test_every_class_that_needs_only_classes_can_be_built(): void {
		$built = 0;
		$root = dirname( \Tillsync\Bridge\PLUGIN_FILE ) . '/src/';
		foreach ( new \RecursiveIteratorIterator( new \RecursiveDirectoryIterator( $root, \FilesystemIterator::SKIP_DOTS ) ) as $file ) {
			$name = 'Tillsync\Bridge\\' . str_replace( '/', '\\', substr( $file->getPathname(), strlen( $root ), -4 ) );
			if ( preg_match( '/\\\\(?:autoload|Integration|\w+Email)$|^Tillsync.Bridge.(?:Services|Plugin)$|\\\\Boot\\\\/', $name ) ) {
				continue;
			}
			$constructor = ( new \ReflectionClass( $name ) )->getConstructor();
			$needed      = null === $constructor || ! $constructor->isPublic() ? array() : $constructor->getParameters();
			$needed      = array_map( static fn( \ReflectionParameter $parameter ) => (string) $parameter->getType(), $needed );
			if ( array() === $needed || array() !== array_filter( $needed, static fn( string $type ) => ! class_exists( $type ) || \Closure::class === $type ) ) {
				continue;
			}
			$this->assertInstanceOf( $name, ( new Services() )->get( $name ) );
			++$built;
		}
		$this->assertGreaterThan( 70, $built );
	}

	public function test_an_object_is_built_once_and_again_after_a_replacement(): void {
		$services = new Services();
		$drain    = $services->get( Drain::class );
		$outbox   = $services->get( Outbox::class );
		$this->assertSame( $drain, $services->get( Drain::class ) );
		$clock = new class() extends Clock {
			public function now(): int {
				return 5;
			}
		};
		$services->set( Clock::class, $clock );
		$this->assertSame( $clock, $services->get( Clock::class ) );
		$this->assertNotSame( $outbox, $services->get( Outbox::class ) );
		$services->get( Outbox::class )->add( 77 );
		$this->assertSame( 5, $services->get( Outbox::class )->find( 77 )->created_at );
	}

	public function test_a_class_that_cannot_be_built_is_named(): void {
		foreach ( array( NeedsItself::class => 'needs itself', NeedsNumber::class => 'number is no class' ) as $name => $expected ) {
			try {
				( new Services() )->get( $name );
				$this->fail( 'made' );
			} catch ( \LogicException $error ) {
				$this->assertStringContainsString( $expected, $error->getMessage() );
			}
		}
	}
}
