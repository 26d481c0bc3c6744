<?php
/**
 * The Save button of the settings screen.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Connection\SiteSettings;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\ChosenStatuses;
use Tillsync\Bridge\Service\ServiceError;
use WC_Admin_Settings;

/** Sends changed settings to the service. The order statuses are stored in this site. */
final class SettingsSave {

	public function __construct( private readonly SiteSettings $settings, private readonly Log $log ) {}

	/**
	 * Saves the posted form and adds messages about the result.
	 *
	 * @return array{settings: array<string, bool|string>, statuses: string[]}|null Values that the service refused; null after a success.
	 */
	public function save(): ?array {
		$changes  = array();
		$statuses = SettingsInput::statuses();
		try {
			$changes = $this->settings->changed_fields( SettingsInput::read() );
			foreach ( array() === $changes ? array() : SettingsTexts::effect( $this->change( $changes ), false ) as $line ) {
				WC_Admin_Settings::add_message( $line );
			}
			// The service comes first. When it refuses or does not answer, nothing is saved, and the form keeps all input.
			ChosenStatuses::choose( $statuses );
			if ( $this->settings->has_trust_setting() ) {
				$this->settings->store_trust_decision();
			}
			return null;
		} catch ( ServiceError $error ) {
			$is_overtaken = 'aborted' === $error->connect_code;
			WC_Admin_Settings::add_error( $is_overtaken ? __( 'Another user has changed these settings meanwhile. The changed settings are shown below, with your changes. Check them and save again.', 'tillsync-bridge' ) : SettingsTexts::failure( $error ) );
		} catch ( \Throwable $error ) {
			$this->log->failure( 'saving settings', $error );
			WC_Admin_Settings::add_error( __( 'The settings could not be saved: see the log of Tillsync.', 'tillsync-bridge' ) );
		}
		return array( 'settings' => $changes, 'statuses' => $statuses );
	}

	/**
	 * Changes the settings. The etag also changes when a person links customers. If the settings still equal the shown ones, the change is
	 * sent again.
	 *
	 * @param array<string, bool|string> $changes Fields of SiteSettings.
	 * @return array{customers: int, types: int, entries: int, notes: string[]}
	 * @throws ServiceError Code "aborted": the settings have changed since; the new ones are stored now.
	 */
	private function change( array $changes ): array {
		$shown = $this->settings->stored();
		try {
			return $this->settings->change( $changes );
		} catch ( ServiceError $error ) {
			if ( 'aborted' !== $error->connect_code ) {
				throw $error;
			}
			$this->settings->refresh();
			if ( $this->settings->stored() !== $shown ) {
				throw $error;
			}
			return $this->settings->change( $changes );
		}
	}
}
