<?php
/**
 * Registers `wp tillsync`.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Cli;

use Tillsync\Bridge\Part;
use Tillsync\Bridge\Services;

/** Only where WP-CLI runs. */
final class CliCommands implements Part {

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		if ( defined( 'WP_CLI' ) && constant( 'WP_CLI' ) && class_exists( '\WP_CLI' ) ) {
			\WP_CLI::add_command( 'tillsync', new TillsyncCommand( $this->services ) );
		}
	}
}
