<?php
/**
 * The button Save of the settings screen.
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

/** What differs goes to the service; the statuses stay here. */
final class SettingsSave {

	public function __construct( private readonly SiteSettings $settings, private readonly Log $log ) {}

	/**
	 * Saves what was posted, and says how that went.
	 *
	 * @return array{settings: array<string, bool|string>, statuses: string[]}|null What the service did not take; null: it is saved.
	 */
	public function save(): ?array {
		$changes = array();
		try {
			ChosenStatuses::choose( SettingsInput::statuses() );
			$changes = $this->settings->differing( SettingsInput::read() );
			foreach ( array() === $changes ? array() : SettingsTexts::effect( $this->change( $changes ), false ) as $line ) {
				WC_Admin_Settings::add_message( $line );
			}
			if ( $this->settings->knows_trust() ) {
				$this->settings->trust_is_decided();
			}
			return null;
		} catch ( ServiceError $error ) {
			$is_overtaken = 'aborted' === $error->connect_code;
			WC_Admin_Settings::add_error( $is_overtaken ? __( 'Somebody else has changed these settings meanwhile. Theirs are shown below, with your changes: look at them and save again.', 'tillsync-bridge' ) : SettingsTexts::failure( $error ) );
		} catch ( \Throwable $error ) {
			$this->log->failure( 'saving settings', $error );
			WC_Admin_Settings::add_error( __( 'The settings could not be saved: see the log of Tillsync.', 'tillsync-bridge' ) );
		}
		return array( 'settings' => $changes, 'statuses' => ChosenStatuses::get() );
	}

	/**
	 * The etag also changes with links made by hand. Then the settings are as they were shown, and the change is made all the same.
	 *
	 * @param array<string, bool|string> $changes Of SiteSettings.
	 * @return array{customers: int, types: int, entries: int, notes: string[]}
	 * @throws ServiceError Code "aborted": somebody else has changed the settings; they are known here by now.
	 */
	private function change( array $changes ): array {
		$shown = $this->settings->known();
		try {
			return $this->settings->change( $changes );
		} catch ( ServiceError $error ) {
			if ( 'aborted' !== $error->connect_code ) {
				throw $error;
			}
			$this->settings->refresh();
			if ( $this->settings->known() !== $shown ) {
				throw $error;
			}
			return $this->settings->change( $changes );
		}
	}
}
